import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

/** What the fake GitHub knows: people, Apps, tokens, repositories, and everything in them. */

export type Level = 'read' | 'write';
export type Permissions = Readonly<Record<string, Level>>;

export interface Repo {
  id: number;
  owner: string;
  name: string;
  /** A bare repository. */
  gitDir: string;
  defaultBranch: string;
  private: boolean;
  archived: boolean;
  /** Drafts need a plan that not every private repository has. */
  drafts: boolean;
  collaborators: Map<string, Level>;
  /** Teams that may review, as `org/team`. */
  teams: Set<string>;
  issues: Map<number, Issue>;
  /** Branches with classic protection. */
  protectedBranches: Set<string>;
  rules: Rule[];
  forkOf: Repo | null;
  /** Everything but reading it is answered as if it were not there. */
  deleted: boolean;
}

export interface Rule {
  /** A prefix of branch names. */
  prefix: string;
  type: string;
  bypass: 'always' | 'never';
  id: number;
}

export interface Comment {
  id: number;
  author: string;
  body: string;
  createdAt: string;
}

export interface Issue {
  repo: Repo;
  number: number;
  title: string;
  body: string;
  author: string;
  labels: string[];
  state: 'open' | 'closed';
  /** Gone: 410. */
  deleted: boolean;
  /** Transferred. */
  movedTo: Issue | null;
  comments: Comment[];
  pull: Pull | null;
  createdAt: string;
}

export interface Pull {
  /** Null when the fork was deleted. */
  headRepo: Repo | null;
  headBranch: string;
  base: string;
  draft: boolean;
  merged: boolean;
  /** The last commit seen on its branch. */
  headSha: string;
  reviews: Review[];
  threads: Thread[];
  reviewers: string[];
}

export interface Review extends Comment {
  state: 'APPROVED' | 'CHANGES_REQUESTED' | 'COMMENTED' | 'DISMISSED' | 'PENDING';
  commitId: string;
}

export interface Thread {
  path: string;
  line: number | null;
  isResolved: boolean;
  isOutdated: boolean;
  comments: Comment[];
}

export interface App {
  id: number;
  slug: string;
  owner: string;
  permissions: Permissions;
  /** As GitHub hands it out: PKCS#1. */
  privateKey: string;
  publicKey: KeyObject;
  webhookSecret: string;
}

export interface Installation {
  id: number;
  app: App;
  owner: string;
  repos: 'all' | Set<number>;
  permissions: Permissions;
  suspended: boolean;
}

export type Token =
  | {
      kind: 'installation';
      value: string;
      installation: Installation;
      repos: Set<number>;
      permissions: Permissions;
      expiresAtMs: number;
      revoked: boolean;
    }
  | {
      kind: 'classic';
      value: string;
      login: string;
      scopes: readonly string[];
      /** As the header has it: `2027-01-01 00:00:00 UTC`. */
      expires: string | null;
      revoked: boolean;
    }
  | {
      kind: 'fine-grained';
      value: string;
      login: string;
      repos: 'all' | readonly string[];
      permissions: Permissions;
      revoked: boolean;
    };

export interface World {
  folder: string;
  now(): number;
  users: Set<string>;
  repos: Repo[];
  /** Old names in lower case, and what they lead to. */
  renames: Map<string, Repo>;
  apps: App[];
  installations: Installation[];
  tokens: Map<string, Token>;
  /** Apps that a manifest has made, by the code to fetch them with. */
  manifestCodes: Map<string, App>;
  /** How many more answers show pull requests as they were before the last push. */
  staleAnswers: number;
  /** What a careful client doesn't do. */
  violations: string[];
  nextId(): number;
}

export function createWorld(folder: string, now: () => number): World {
  let id = 1_000;
  return {
    folder,
    now,
    users: new Set(['octo']),
    repos: [],
    renames: new Map(),
    apps: [],
    installations: [],
    tokens: new Map(),
    manifestCodes: new Map(),
    staleAnswers: 0,
    violations: [],
    nextId: () => ++id,
  };
}

export const isoNow = ({ now }: World): string => new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z');

export const fullName = ({ owner, name }: Pick<Repo, 'owner' | 'name'>): string => `${owner}/${name}`;

export const repoNamed = (world: World, name: string): Repo | undefined =>
  world.repos.find((repo) => !repo.deleted && fullName(repo).toLowerCase() === name.toLowerCase());

export const tokenValue = (prefix: string): string =>
  prefix + randomBytes(27).toString('base64url').replace(/[-_]/g, 'x');

let keys: { privateKey: string; publicKey: KeyObject } | undefined;

/** One pair for all Apps of a process: making one takes long. */
export function appKeys(): { privateKey: string; publicKey: KeyObject } {
  if (keys) return keys;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  keys = { privateKey: pem, publicKey: createPublicKey(pem) };
  return keys;
}
