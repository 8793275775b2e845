import { homedir, userInfo } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import type { Payload } from '../task/protocol.ts';
import type { RunFolders } from './folders.ts';
import type { SandboxPolicy } from './sandbox/sandbox.ts';

/** What the agent of this run may read, write and reach. */
export function sandboxPolicy(input: {
  folders: RunFolders;
  workDir: string;
  payload: Pick<Payload, 'sandbox'>;
  path: string;
  /** Folders of the agent's own program. */
  agentFolders?: readonly string[];
  /** Port of the model gateway on loopback. */
  gatewayPort?: number | null;
}): SandboxPolicy {
  const { folders, workDir, payload, path, agentFolders = [], gatewayPort = null } = input;
  const homes = [...new Set([homedir(), userInfo().homedir, '/root', '/home'])].filter(
    (home) => home !== '/' && home !== '',
  );
  return {
    writable: [folders.work, folders.home, folders.tmp, folders.exchange],
    readable: [join(folders.mirror, 'objects'), ...toolFolders(path, homes), ...agentFolders],
    denyRead: [...homes, workDir, ...KEY_MATERIAL, ...payload.sandbox.deny_read],
    egress: payload.sandbox.egress,
    gatewayPort,
    tmp: folders.tmp,
    scratch: join(folders.root, 'sandbox'),
  };
}

/** What besides homes holds keys, sockets of other programs, or other people's temporary files. */
const KEY_MATERIAL = [
  '/etc/ssh',
  '/etc/shadow',
  '/etc/gshadow',
  '/etc/sudoers',
  '/etc/sudoers.d',
  '/etc/ssl/private',
  '/etc/docker',
  '/etc/kubernetes',
  '/run',
  '/var/run',
  '/var/lib/docker',
  '/var/backups',
  '/tmp',
  '/var/tmp',
  '/dev/shm',
];

/** What a tool needs besides the folder it is in, below the folder above. `share` and `etc` may hold keys: they stay hidden. */
const TOOL_PARTS = ['lib', 'lib64', 'libexec', 'include', 'versions', 'toolchains'];

/** Tools are often installed below a home; of these folders only the tools' own parts are opened again. */
function toolFolders(path: string, homes: readonly string[]): string[] {
  const folders = path
    .split(delimiter)
    .filter((folder) => homes.some((home) => folder.startsWith(`${home}/`)));
  const opened = folders.flatMap((folder) => {
    const above = dirname(folder);
    if (!/^s?bin$|^shims$/.test(basename(folder)) || homes.includes(above) || dirname(above) === '/home')
      return [folder];
    const parts = [folder, ...TOOL_PARTS.map((part) => join(above, part))];
    // Rust's tools are stand-ins for those of the toolchain.
    return basename(above) === '.cargo' ? [...parts, join(dirname(above), '.rustup')] : parts;
  });
  return [...new Set(opened)];
}
