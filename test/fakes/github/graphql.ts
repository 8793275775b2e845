import { type Call, text } from './http.ts';
import { repoNamed, type Thread } from './world.ts';

/**
 * The part of GitHub's GraphQL API that tells which review threads are resolved. Queries are really parsed: only what is asked for
 * is answered, and a field that is not there is an error.
 */

interface Field {
  name: string;
  args: Record<string, unknown>;
  fields: Field[] | null;
}

type Resolver = (args: Record<string, unknown>) => unknown;

export function answerGraphql(call: Call): unknown {
  const { body, world } = call;
  try {
    const query = parse(text(body.query), isRecord(body.variables) ? body.variables : {});
    const root = {
      repository: ({ owner, name }: Record<string, unknown>) => {
        const repo = repoNamed(world, `${text(owner)}/${text(name)}`);
        if (!repo)
          throw new GraphqlError(
            'NOT_FOUND',
            `Could not resolve to a Repository with the name '${text(owner)}/${text(name)}'.`,
          );
        return {
          pullRequest({ number }: Record<string, unknown>) {
            const pull = repo.issues.get(Number(number))?.pull;
            if (!pull)
              throw new GraphqlError(
                'NOT_FOUND',
                `Could not resolve to a PullRequest with the number of ${String(number)}.`,
              );
            return { reviewThreads: connection(pull.threads.map(threadShape)) };
          },
        };
      },
    };
    return { data: project(root, query) };
  } catch (error) {
    if (!(error instanceof GraphqlError)) throw error;
    return { data: null, errors: [{ type: error.type, message: error.message }] };
  }
}

class GraphqlError extends Error {
  readonly type: string;
  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

const threadShape = ({ path, line, isResolved, isOutdated, comments }: Thread): unknown => ({
  path,
  line,
  isResolved,
  isOutdated,
  comments: connection(
    comments.map(({ author, body, createdAt }) => ({
      body,
      createdAt,
      author: author === 'ghost' ? null : { login: author },
    })),
  ),
});

const connection =
  (nodes: readonly unknown[]): Resolver =>
  ({ first, after }) => {
    if (typeof first !== 'number' || first > 100)
      throw new GraphqlError('EXCESSIVE_PAGINATION', 'You must provide a `first` value of at most 100.');
    const begin = typeof after === 'string' ? Number(after) : 0;
    const end = begin + first;
    return {
      totalCount: nodes.length,
      nodes: nodes.slice(begin, end),
      pageInfo: { hasNextPage: end < nodes.length, endCursor: String(end) },
    };
  };

function project(value: unknown, fields: readonly Field[] | null): unknown {
  if (value === null || fields === null) return value;
  if (Array.isArray(value)) return value.map((each) => project(each, fields));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    fields.map(({ name, args, fields: inner }) => {
      if (!(name in value)) throw new GraphqlError('undefinedField', `Field '${name}' doesn't exist`);
      const found = value[name];
      return [name, project(typeof found === 'function' ? found(args) : found, inner)];
    }),
  );
}

function parse(query: string, variables: Record<string, unknown>): Field[] {
  const tokens: readonly string[] = query.match(/"[^"]*"|\$?[A-Za-z_]\w*|-?\d+|[{}():!]|\.\.\./g) ?? [];
  let at = Math.max(tokens.indexOf('{'), 0);
  const next = (): string => tokens[at++] ?? '';
  const read = (token: string): unknown => {
    if (token.startsWith('$')) return variables[token.slice(1)] ?? null;
    if (token.startsWith('"')) return token.slice(1, -1);
    return token === 'true' ? true : token === 'false' ? false : token === 'null' ? null : Number(token);
  };
  const selection = (): Field[] => {
    const fields: Field[] = [];
    if (next() !== '{') throw new GraphqlError('parse', 'Expected {');
    while (tokens[at] !== '}') {
      const name = next();
      if (!/^[A-Za-z_]\w*$/.test(name)) throw new GraphqlError('parse', `Unexpected ${JSON.stringify(name)}`);
      const args: Record<string, unknown> = {};
      if (tokens[at] === '(') {
        at += 1;
        while (tokens[at] !== ')') {
          const key = next();
          if (next() !== ':') throw new GraphqlError('parse', 'Expected :');
          args[key] = read(next());
        }
        at += 1;
      }
      fields.push({ name, args, fields: tokens[at] === '{' ? selection() : null });
    }
    at += 1;
    return fields;
  };
  return selection();
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
