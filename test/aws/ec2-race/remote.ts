/** Calls of one process on objects of another, over the channel that Node gives a child. */

interface Call {
  id: number;
  target: string;
  method: string;
  args: unknown[];
}
interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

type Methods = Record<string, (...args: never[]) => Promise<unknown>>;

/** Answers a child's calls on these objects. `around` runs each: the place to delay it, or to lose its answer. */
export function serve(
  channel: {
    on(event: 'message', listener: (message: unknown) => void): unknown;
    send(message: Answer, done: (error: Error | null) => void): unknown;
    connected: boolean;
  },
  targets: Readonly<Record<string, object>>,
  around: (call: { target: string; method: string }, work: () => Promise<unknown>) => Promise<unknown>,
): void {
  channel.on('message', (message) => {
    const { id, target, method, args } = message as Call;
    const object = targets[target] as Methods | undefined;
    const answer = (rest: Omit<Answer, 'id'>): void => {
      // It may have been killed meanwhile: then the answer is nobody's.
      if (channel.connected) channel.send({ id, ...rest }, () => undefined);
    };
    around({ target, method }, async () => object?.[method]?.(...(args as never[]))).then(
      (value) => answer({ value }),
      (error: unknown) => answer({ error: error instanceof Error ? `${error.name}: ${error.message}` : '' }),
    );
  });
}

/** The parent's objects, as a child sees them: `own` is done here. `fail` makes the error that a failed call throws here. */
export function remote<T extends object>(
  target: string,
  fail: (text: string) => Error,
  own: Partial<T> = {},
): T {
  return new Proxy({} as T, {
    get: (_, method) =>
      own[method as keyof T] ?? ((...args: unknown[]) => ask({ target, method: String(method), args }, fail)),
  });
}

let calls = 0;
const waiting = new Map<number, (answer: Answer) => void>();
let listening = false;

function ask(call: Omit<Call, 'id'>, fail: (text: string) => Error): Promise<unknown> {
  if (!listening) {
    listening = true;
    process.on('message', (message) => {
      const answer = message as Answer;
      waiting.get(answer.id)?.(answer);
      waiting.delete(answer.id);
    });
  }
  calls += 1;
  const id = calls;
  return new Promise((resolve, reject) => {
    waiting.set(id, ({ value, error }) => (error === undefined ? resolve(value) : reject(fail(error))));
    process.send?.({ id, ...call });
  });
}
