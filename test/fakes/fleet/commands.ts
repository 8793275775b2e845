import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { SimMachine } from './machine.ts';
import { AwsError, Lagging, type Modes, type SimCommand, type SimInstance } from './state.ts';

interface SsmDocument {
  parameters: Record<string, { type: string; default?: string; allowedPattern?: string }>;
  mainSteps: { inputs: { timeoutSeconds: string; runCommand: string[] } }[];
}

/** Run Command: sends real documents' scripts to simulated machines. */
export interface SimCommands {
  send(request: {
    DocumentName: string;
    InstanceIds: string[];
    Parameters: Record<string, string[]>;
    Comment: string;
    TimeoutSeconds: number;
  }): SimCommand;
  cancel(commandId: string): void;
  all(): readonly SimCommand[];
  /** Kills the program of a command as Systems Manager does: its process group, by SIGKILL. */
  killScript(commandId: string): void;
}

const FINAL = ['Success', 'Failed', 'Cancelled', 'TimedOut'];

export function createCommands({
  prefix,
  documents,
  instances,
  machines,
  modes,
  now,
}: {
  prefix: string;
  /** Documents that are deployed. */
  documents: Set<string>;
  instances: ReadonlyMap<string, SimInstance>;
  machines: ReadonlyMap<string, SimMachine>;
  modes: Modes;
  now(): number;
}): SimCommands {
  const commands = new Map<string, SimCommand>();
  const scripts = new Map<string, ChildProcess>();

  const set = (command: SimCommand, status: string, code: number, details = status): void => {
    if (!FINAL.includes(command.state.now.status)) command.state.set({ status, details, code });
  };

  function run(command: SimCommand, document: SsmDocument): void {
    const machine = machines.get(command.instanceId);
    const instance = instances.get(command.instanceId);
    if (!machine || !instance?.online || FINAL.includes(command.state.now.status)) return;
    const [step] = document.mainSteps;
    if (!step) throw new Error('a document has a step');
    const fill = (text: string): string =>
      text.replaceAll(/\{\{ (\w+) \}\}/g, (_, name: string) => command.parameters[name] ?? '');
    // Systems Manager takes 3,600 for anything that it does not understand.
    const timeout = fill(step.inputs.timeoutSeconds);
    const seconds = /^\d+$/.test(timeout) ? Number(timeout) : 3_600;
    set(command, 'InProgress', -1);
    const child = machine.script(step.inputs.runCommand.map(fill).join('\n'));
    scripts.set(command.id, child);
    const timer = setTimeout(() => {
      set(command, 'TimedOut', -1, 'Execution Timed Out');
      killGroup(child);
    }, seconds * 1_000);
    child.once('close', (code) => {
      clearTimeout(timer);
      if (instance.state.now !== 'running') return;
      if (code === 0) set(command, 'Success', 0);
      else set(command, 'Failed', code ?? 137);
    });
  }

  return {
    all: () => [...commands.values()],
    send(request) {
      const name = request.DocumentName.slice(prefix.length + 1);
      const [instanceId = ''] = request.InstanceIds;
      if (!documents.has(name)) throw new AwsError('InvalidDocument', 'Document does not exist.');
      const document = readDocument(name);
      const parameters = parametersOf(document, request.Parameters);
      if (request.TimeoutSeconds < 30) throw new AwsError('ValidationException', 'TimeoutSeconds');
      if (request.Comment.length > 100) throw new AwsError('ValidationException', 'Comment');
      if (!instances.get(instanceId)?.online) throw new AwsError('InvalidInstanceId');
      const command: SimCommand = {
        id: randomUUID(),
        document: name,
        instanceId,
        parameters,
        comment: request.Comment,
        sentAtMs: now(),
        state: new Lagging(now, { status: 'Pending', details: 'Pending', code: -1 }),
      };
      commands.set(command.id, command);
      const late = setTimeout(
        () => set(command, 'TimedOut', -1, 'Delivery Timed Out'),
        request.TimeoutSeconds * 1_000,
      );
      late.unref();
      void modes.deliver(command).then(() => {
        clearTimeout(late);
        for (let times = 0; times < modes.deliveries; times += 1) run(command, document);
      });
      return command;
    },
    cancel(commandId) {
      const command = commands.get(commandId);
      if (!command) throw new AwsError('InvalidCommandId');
      set(command, 'Cancelled', -1);
      const child = scripts.get(commandId);
      if (child) killGroup(child);
    },
    killScript(commandId) {
      const child = scripts.get(commandId);
      if (child) killGroup(child);
    },
  };
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function readDocument(name: string): SsmDocument {
  const file = fileURLToPath(
    new URL(`../../../src/compute/ec2/instance/documents/${name}.json`, import.meta.url),
  );
  return JSON.parse(readFileSync(file, 'utf8')) as SsmDocument;
}

/** As Systems Manager checks them: none that the document lacks, each as its pattern says. */
function parametersOf(document: SsmDocument, given: Record<string, string[]>): Record<string, string> {
  for (const name of Object.keys(given))
    if (!(name in document.parameters)) throw new AwsError('InvalidParameters', name);
  return Object.fromEntries(
    Object.entries(document.parameters).map(([name, { default: fallback, allowedPattern }]) => {
      const value = given[name]?.[0] ?? fallback;
      if (value === undefined || (allowedPattern !== undefined && !new RegExp(allowedPattern).test(value)))
        throw new AwsError('InvalidParameters', name);
      return [name, value];
    }),
  );
}
