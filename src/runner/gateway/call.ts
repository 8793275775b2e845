import { type OpenAnswer, openAnswer } from './answer.ts';
import { withRetries } from './attempts.ts';
import { estimate } from './estimate.ts';
import type { GatewayOptions } from './gateway.ts';
import type { Ledger, PlannedCall, Ticket } from './ledger.ts';
import { passError, passOn, type Recipient } from './pass-on.ts';
import type { CallRequest, Protocol } from './protocols/protocol.ts';
import { costOf, NO_TOKENS, type Tokens, worstCostOf } from './tokens.ts';
import type { Upstream, UpstreamRequest } from './upstreams/upstream.ts';

export interface Call {
  request: UpstreamRequest;
  asked: CallRequest;
  plan: Omit<PlannedCall, 'worstCostUsd'>;
}

export interface CallMeans extends Required<Pick<GatewayOptions, 'now' | 'random' | 'sleep' | 'log'>> {
  upstream: Upstream;
  protocol: Protocol;
  ledger: Ledger;
}

/**
 * One paid call: let through, sent, passed on, booked. Whatever happens, what the provider may bill is booked. Throws LimitReached
 * before anything is sent, and NetworkFailure when no try reached the provider.
 */
export async function runCall(call: Call, recipient: Recipient, means: CallMeans): Promise<void> {
  const { request, asked, plan } = call;
  const bytes = request.body.length;
  // A token has at least one byte.
  const worst = { input: bytes, output: asked.maxOutputTokens };
  const ticket = await means.ledger.admit(
    { ...plan, worstCostUsd: worstCostOf(worst, plan.price) },
    recipient.signal,
  );
  const course = createCourse(call, means.now);
  try {
    const answer = await withRetries({
      ...means,
      signal: recipient.signal,
      onFailed: course.failed,
      send: async () => {
        course.sent();
        const head = await means.upstream.send(request, recipient.signal);
        const opened = await openAnswer(head, means.protocol.createMeter());
        if (!isGood(opened)) course.failed(false);
        return opened;
      },
    });
    course.answeredBy(answer);
    if (!isGoodStatus(answer)) await passError(answer, recipient, means.protocol);
    else await passGood(call, answer, { recipient, means, ticket, course });
  } finally {
    ticket.settle(course.result());
  }
}

interface Passing {
  recipient: Recipient;
  means: CallMeans;
  ticket: Ticket;
  course: Course;
}

async function passGood(
  { asked, plan: { price } }: Call,
  answer: OpenAnswer,
  { recipient, means: { protocol, log }, ticket, course }: Passing,
): Promise<void> {
  const { response, signal } = recipient;
  const { meter } = answer;
  let told = false;
  try {
    await passOn(answer, recipient, () => {
      course.alive();
      const tokens = meter.tokens();
      if (told || tokens === null) return;
      told = true;
      ticket.expect(costOf({ ...tokens, output: Math.max(tokens.output, asked.maxOutputTokens) }, price));
    });
    if (answer.streamed && !meter.complete() && !meter.failed()) throw new Error('it ended too early');
    response.end();
  } catch (error) {
    answer.drop();
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    log({ event: 'gateway.stream_broken', why });
    if (answer.streamed) response.end(protocol.streamError(`the model's answer broke off: ${why}`));
    // Half a JSON document can only be told by cutting the connection.
    else response.destroy();
  }
}

type Course = ReturnType<typeof createCourse>;

/** Follows a call, to know what it comes to wherever it ends. */
function createCourse({ request, asked }: Call, now: () => number) {
  const guess = (seen: { tokens: Tokens | null; written: number; streamedMs: number }): Tokens =>
    estimate({ ...seen, requestBytes: request.body.length, maxOutputTokens: asked.maxOutputTokens });
  let lost: Tokens | null = null;
  let sentAt: number | null = null;
  let aliveAt = 0;
  let answer: OpenAnswer | null = null;

  const used = (): { tokens: Tokens | null; estimated: boolean } => {
    if (answer !== null) {
      const { meter } = answer;
      const tokens = meter.tokens();
      if (!isGood(answer)) return { tokens: null, estimated: false };
      if (meter.complete()) return { tokens, estimated: false };
      const streamedMs = (answer.streamed ? aliveAt : now()) - (sentAt ?? aliveAt);
      return { tokens: guess({ tokens, written: meter.written(), streamedMs }), estimated: true };
    }
    if (sentAt === null) return { tokens: null, estimated: false };
    const streamedMs = request.stream ? 0 : now() - sentAt;
    return { tokens: guess({ tokens: null, written: 0, streamedMs }), estimated: true };
  };
  return {
    sent: (): void => {
      sentAt = now();
      aliveAt = sentAt;
    },
    /** A try has ended in vain. `billed`: the provider may have worked for it. */
    failed: (billed: boolean): void => {
      const { tokens } = used();
      sentAt = null;
      if (billed && tokens) lost = sum(lost ?? NO_TOKENS, tokens);
    },
    answeredBy: (found: OpenAnswer): void => {
      answer = found;
      aliveAt = now();
    },
    alive: (): void => {
      aliveAt = now();
    },
    result: (): { tokens: Tokens | null; answered: boolean; estimated: boolean } => {
      const { tokens, estimated } = used();
      const answered = answer !== null && isGood(answer);
      if (lost === null) return { tokens, answered, estimated };
      return { tokens: sum(lost, tokens ?? NO_TOKENS), answered, estimated: true };
    },
  };
}

const isGoodStatus = ({ status }: OpenAnswer): boolean => status >= 200 && status <= 299;

/** The provider gave, or began to give, what was asked for. */
const isGood = (answer: OpenAnswer): boolean =>
  isGoodStatus(answer) && !(answer.meter.failed() && answer.meter.tokens() === null);

const sum = (a: Tokens, b: Tokens): Tokens => ({
  input: a.input + b.input,
  output: a.output + b.output,
  cacheWrite: a.cacheWrite + b.cacheWrite,
  cacheWrite1h: a.cacheWrite1h + b.cacheWrite1h,
  cacheRead: a.cacheRead + b.cacheRead,
});
