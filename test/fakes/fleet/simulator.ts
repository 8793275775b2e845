import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCommands, type SimCommands } from './commands.ts';
import { ec2Api, groupApi } from './ec2-api.ts';
import { createGroups, type SimGroups } from './groups.ts';
import { createMachine, type SimMachine } from './machine.ts';
import { ssmApi } from './ssm-api.ts';
import { AwsError, goodModes, type Modes, type SimGroup, type SimInstance } from './state.ts';
import { ec2Answer, ec2Error, groupAnswer, groupError } from './wire.ts';

/**
 * A small AWS account on loopback: Systems Manager, EC2, Auto Scaling, S3 and the instances' metadata, as far as the fleet uses
 * them. Its instances are processes of this machine that run the real programs of an instance and the real runner.
 */
export interface FleetSimulator {
  endpoint: string;
  modes: Modes;
  groups: ReadonlyMap<string, SimGroup>;
  scaling: SimGroups;
  instances: ReadonlyMap<string, SimInstance>;
  machines: ReadonlyMap<string, SimMachine>;
  commands: SimCommands;
  /** Payloads by `<bucket>/<key>`. */
  objects: Map<string, Buffer>;
  buckets: Set<string>;
  documents: Set<string>;
  /** Calls so far, by action. */
  calls: Map<string, number>;
  /** Machines ended on demand. */
  ended: string[];
  close(): Promise<void>;
}

export interface SimulatorOptions {
  groups: readonly (Pick<SimGroup, 'name' | 'max'> & { desired?: number; min?: number; gpu?: boolean })[];
  /** Program and first arguments of what a container runs. */
  runner: readonly string[];
  fleet?: string;
  bucket?: string;
  documentPrefix?: string;
  clockSkewS?: number;
  /** Commands in a page of a list. Default 2, so that readers have to go on; AWS has 50. */
  pageSize?: number;
}

export async function createFleetSimulator(options: SimulatorOptions): Promise<FleetSimulator> {
  const { fleet = 'octo', bucket = 'octo-payloads', documentPrefix = 'octo-fleet' } = options;
  const now = Date.now;
  const folder = mkdtempSync(join(tmpdir(), 'bgagent-fleet-'));
  const modes = goodModes();
  const byName = new Map<string, SimGroup>(
    options.groups.map(({ name, max, desired = 0, min = 0 }) => [
      name,
      { name, min, max, desired, outOfCapacity: false },
    ]),
  );
  const instances = new Map<string, SimInstance>();
  const machines = new Map<string, SimMachine>();
  const objects = new Map<string, Buffer>();
  const buckets = new Set([bucket]);
  const documents = new Set(['start', 'stop', 'boot-check']);
  const calls = new Map<string, number>();
  const ended: string[] = [];
  let endpoint = '';

  const commands = createCommands({ prefix: documentPrefix, documents, instances, machines, modes, now });
  const scaling = createGroups({
    groups: byName,
    instances,
    machines,
    modes,
    now,
    terminated: (id) => ended.push(id),
    launch(id) {
      const group = options.groups.find(({ name }) => name === instances.get(id)?.group);
      const { runner, clockSkewS = 0 } = options;
      const machine = createMachine({ folder, id, endpoint, runner, gpu: group?.gpu ?? false, clockSkewS });
      machines.set(id, machine);
      return machine;
    },
  });
  const ssm = ssmApi({ commands, instances, modes, pageSize: options.pageSize ?? 2 });
  const ec2 = ec2Api({ fleet, instances, modes });
  const asg = groupApi({ groups: scaling, byName, instances, modes });

  /** Counts, misbehaves as it is told, and answers. Undefined = the connection breaks. */
  function perform<T>(action: string, work: () => T): T | undefined {
    calls.set(action, (calls.get(action) ?? 0) + 1);
    const refused = modes.refuse(action);
    if (refused !== undefined) throw new AwsError(refused);
    if (modes.throttle(action)) throw new AwsError('ThrottlingException', 'Rate exceeded');
    const answer = work();
    return modes.loseAnswer(action) ? undefined : answer;
  }

  function answerQuery(form: URLSearchParams, response: ServerResponse): void {
    const action = form.get('Action') ?? '';
    const isEc2 = form.get('Version') === '2016-11-15';
    const api = isEc2 ? ec2 : asg;
    try {
      const answer = perform(action, () => {
        const handler = api[action];
        if (!handler) throw new AwsError('InvalidAction', action);
        return handler(form);
      });
      if (answer === undefined) response.destroy();
      else response.end((isEc2 ? ec2Answer : groupAnswer)(action, answer));
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      response.statusCode = 400;
      response.end((isEc2 ? ec2Error : groupError)(error));
    }
  }

  function answerJson(action: string, body: Buffer, response: ServerResponse): void {
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    try {
      const answer = perform(action, () => {
        const handler = ssm[action];
        if (!handler) throw new AwsError('UnknownOperationException', action);
        return handler(JSON.parse(body.toString()));
      });
      if (answer === undefined) response.destroy();
      else response.end(JSON.stringify(answer));
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      response.statusCode = 400;
      response.end(JSON.stringify({ __type: error.name, message: error.message }));
    }
  }

  function answerS3(method: string, path: string, body: Buffer, response: ServerResponse): void {
    // Instances fetch with their own role: not the platform's calls.
    const action = `${method} object`;
    try {
      const answer = perform(action, () => {
        const [name = ''] = path.split('/');
        if (!buckets.has(name)) throw new AwsError('NoSuchBucket');
        if (method === 'PUT') objects.set(path, body);
        if (method === 'DELETE') objects.delete(path);
        if (method === 'GET' && !objects.has(path)) throw new AwsError('NoSuchKey');
        return method === 'GET' ? (objects.get(path) ?? '') : '';
      });
      if (answer === undefined) response.destroy();
      else response.end(answer);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      response.statusCode = error.name === 'AccessDenied' ? 403 : 404;
      response.end(`<Error><Code>${error.name}</Code><Message>${error.message}</Message></Error>`);
    }
  }

  function answerMetadata(
    id: string,
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const notice = instances.get(id)?.notice ?? null;
    const values: Record<string, string | null> = {
      'meta-data/placement/region': 'eu-central-1',
      'meta-data/instance-id': id,
      'meta-data/spot/instance-action': notice,
    };
    if (path === 'api/token' && request.method === 'PUT') {
      response.end(`token-of-${id}`);
      return;
    }
    // Version 2 only.
    if (request.headers['x-aws-ec2-metadata-token'] !== `token-of-${id}`) response.statusCode = 401;
    else if (values[path] == null) response.statusCode = 404;
    response.end(response.statusCode === 200 ? values[path] : '');
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const path = decodeURIComponent((request.url ?? '').split('?')[0] ?? '').slice(1);
      const [, id, rest] = /^imds\/([^/]+)\/latest\/(.*)$/.exec(path) ?? [];
      const target = request.headers['x-amz-target'];
      const answer = (): void => {
        if (id !== undefined && rest !== undefined) answerMetadata(id, rest, request, response);
        else if (typeof target === 'string') answerJson(target.split('.')[1] ?? '', body, response);
        else if (path === '') answerQuery(new URLSearchParams(body.toString()), response);
        else answerS3(request.method ?? 'GET', path, body, response);
      };
      if (modes.answerMs > 0) setTimeout(answer, modes.answerMs);
      else answer();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  scaling.settle();

  return {
    endpoint,
    modes,
    groups: byName,
    scaling,
    instances,
    machines,
    commands,
    objects,
    buckets,
    documents,
    calls,
    ended,
    async close() {
      for (const group of byName.values()) group.outOfCapacity = true;
      for (const machine of machines.values()) await machine.remove();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
