import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFakePlatform, type FakePlatform } from '../../test/fakes/platform.ts';
import { aPayload } from '../../test/fixtures/payload.ts';
import { createHttpClient, type HttpClient } from './http.ts';
import { createPlatform, RefusedError, SessionUnwantedError } from './platform.ts';

const TASK = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

describe('the runner’s side of the protocol', () => {
  let fake: FakePlatform;
  let http: HttpClient;
  let patience: AbortController;
  beforeEach(async () => {
    fake = await createFakePlatform(() => aPayload({ url: '/srv/hello.git', sha: 'a'.repeat(40) }));
    http = createHttpClient({ timeoutMs: 2_000 });
    patience = new AbortController();
  });
  afterEach(async () => {
    http.close();
    await fake.close();
  });

  const connect = (fields: { token?: string; runnerId?: string; isWanted?: () => Promise<boolean> } = {}) =>
    createPlatform({
      bootstrap: {
        task_id: TASK,
        attempt: 1,
        token: fields.token ?? fake.token,
        api_url: fake.url,
        api_url_file: null,
        work_dir: '/nowhere',
        log_file: null,
        not_after: null,
        agent_user: null,
      },
      runnerId: fields.runnerId ?? 'runner-1',
      http,
      random: () => 0,
      signal: patience.signal,
      note: () => undefined,
      isWanted: fields.isWanted ?? (async () => true),
    });
  const report = { events: [], log: null, outcome: null };

  it('gives up when its session was removed while nobody answered', async () => {
    await fake.close();
    await expect(connect({ isWanted: async () => false }).start()).rejects.toThrow(SessionUnwantedError);
  });

  it('starts once, and again after a lost answer, but not in another process', async () => {
    await connect().start();
    await connect().start();
    await expect(connect({ runnerId: 'runner-2' }).start()).rejects.toThrow(SessionUnwantedError);
  });

  it('takes a wrong token as not being wanted', async () => {
    await expect(connect({ token: 'wrong' }).payload()).rejects.toThrow(SessionUnwantedError);
  });

  it.each(['down', 'unavailable'] as const)('tries on while the platform is %s', async (mode) => {
    fake.mode = mode;
    const answered = connect().report(report);
    setTimeout(() => {
      fake.mode = 'ok';
    }, 200);
    expect(await answered).toEqual({ cancel_requested: false, nudges: [] });
  });

  it('gives up when it is told to', async () => {
    fake.mode = 'down';
    const answered = connect().report(report);
    patience.abort(new Error('enough'));
    await expect(answered).rejects.toThrow('enough');
  });

  it('does not repeat what is refused for good', async () => {
    fake.mode = 'refuse';
    await expect(connect().report(report)).rejects.toThrow(RefusedError);
  });

  it('is not fooled by an answer that is no JSON', async () => {
    fake.mode = 'html';
    const answered = connect().report(report);
    setTimeout(() => {
      fake.mode = 'ok';
    }, 100);
    expect(await answered).toMatchObject({ cancel_requested: false });
  });
});
