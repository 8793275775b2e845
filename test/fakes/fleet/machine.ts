import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createProcessTree } from '../../../src/processes/process-tree.ts';
import type { Modes } from './state.ts';

const INSTANCE_FILES = fileURLToPath(new URL('../../../src/compute/ec2/instance', import.meta.url));
const STAND_INS = fileURLToPath(new URL('./stand-ins', import.meta.url));

/** One simulated machine: a folder with the real programs and units of an instance, and stand-ins for the host's tools. */
export interface SimMachine {
  root: string;
  /** Runs the preparation, as the unit at boot does. Resolves when it has ended. */
  boot(broken: Modes['boot']): Promise<void>;
  /** Runs a script as the SSM agent does, in a process group of its own. */
  script(text: string): ChildProcess;
  /** Starts the watcher of the Spot notice. */
  watchSpot(): void;
  /** Power off: everything on it is killed. */
  kill(): Promise<void>;
  /** Kills what is left, and removes the folder. */
  remove(): Promise<void>;
}

export interface MachineOptions {
  folder: string;
  id: string;
  /** Of the simulated account. */
  endpoint: string;
  /** What the runner's container runs, before its bootstrap file. */
  runner: readonly string[];
  gpu: boolean;
  /** Seconds that `date` is off. */
  clockSkewS: number;
}

export function createMachine(options: MachineOptions): SimMachine {
  const { id, endpoint } = options;
  const root = join(options.folder, id);
  for (const folder of ['opt', 'etc', 'bin', 'run', 'state/work', 'tmp'])
    mkdirSync(join(root, folder), { recursive: true });
  cpSync(join(INSTANCE_FILES, 'bin'), join(root, 'opt/bin'), { recursive: true });
  cpSync(join(INSTANCE_FILES, 'units'), join(root, 'etc'), { recursive: true });
  for (const name of readdirSync(STAND_INS)) symlinkSync(join(STAND_INS, name), join(root, 'bin', name));
  if (options.clockSkewS !== 0) {
    const date = join(root, 'bin/date');
    writeFileSync(date, `#!/bin/sh\n[ "$1" = +%s ] && echo $(($(/bin/date +%s) + ${options.clockSkewS}))\n`);
    chmodSync(date, 0o755);
  }
  const conf = (minFreeGb: number): void =>
    writeFileSync(
      join(root, 'instance.conf'),
      `image registry.example/bgagent-runner:1\ngpus ${options.gpu ? 'all' : 'none'}\nmin-free-gb ${minFreeGb}\n`,
    );
  conf(0);
  const environment = {
    PATH: `${join(root, 'bin')}:${process.env.PATH ?? '/usr/bin:/bin'}`,
    HOME: root,
    LANG: 'C.UTF-8',
    TMPDIR: join(root, 'tmp'),
    BGAGENT_CONF: join(root, 'instance.conf'),
    BGAGENT_RUN_DIR: join(root, 'run'),
    BGAGENT_STATE_DIR: join(root, 'state'),
    BGAGENT_IMDS: `${endpoint}/imds/${id}`,
    BGAGENT_POLL_S: '0.05',
    BGAGENT_SPOT_POLL_S: '0.2',
    SIM_ROOT: root,
    SIM_ENDPOINT: endpoint,
    SIM_RUNNER: options.runner.join(' '),
  };
  // Not by its id: other simulators have machines of the same ids.
  const tree = createProcessTree({ marker: `SIM_ROOT=${root}`, folders: [root] });
  let dead = false;

  const run = (file: string, args: readonly string[]): ChildProcess =>
    spawn(file, args, { cwd: root, env: environment, stdio: 'ignore', detached: true });

  return {
    root,
    async boot(broken) {
      if (broken === 'docker' || broken === 'image' || broken === 'gpu')
        writeFileSync(join(root, `broken-${broken}`), '');
      if (broken === 'disk') conf(1_000_000_000);
      if (broken === 'hangs') return;
      const child = run(join(root, 'opt/bin/prepare'), []);
      await new Promise((resolve) => child.once('close', resolve));
    },
    script: (text) => run('bash', ['-c', text.replaceAll('/opt/bgagent/', `${root}/opt/`)]),
    watchSpot() {
      if (!dead) run(join(root, 'opt/bin/spot-watch'), []);
    },
    async kill() {
      dead = true;
      await tree.kill();
    },
    async remove() {
      await tree.kill();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
