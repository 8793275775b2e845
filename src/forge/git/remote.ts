import { isAbsolute, normalize } from 'node:path';
import { BgAgentError } from '../../task/errors.ts';

/** A repository as people name it, understood and made canonical. */
export interface Remote {
  /** `local` = a path of this machine, `url` = over the network, `named` = `owner/name`, which only a forge can resolve. */
  kind: 'local' | 'url' | 'named';
  transport: 'file' | 'http' | 'https' | 'ssh' | null;
  /** The one spelling under which the repository is known: an absolute path, a URL, or `owner/name`. */
  repo: string;
}

const MAX_LENGTH = 1_000;
const OWNER = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?$/;
const NAME = /^[A-Za-z0-9._-]{1,100}$/;
const HOST =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:.]+\])$/;
const USER = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
/** `user@host:path`, as git itself tells it from a local path: a colon before the first slash. */
const SCP = /^(?:([^@/:]+)@)?(\[[^\]]+\]|[^:/[\]]+):(.*)$/s;
/** What git would take for a host when the slashes are forgotten. */
const SCHEME = /^(?:file|https?|ssh|git|ftps?|javascript|data)$/i;
const CREDENTIALS =
  'holds credentials, which would be stored; give them as the token secret of the repository';
/** Control characters, and the marks that reorder, hide or join text: no name of a repository needs them. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/u;
const ALLOWED = 'a URL (https://, http://, ssh://, file://), user@host:path, an absolute path, or owner/name';

/**
 * Understands a reference to a repository. Throws VALIDATION_ERROR (field `repo`) for everything that is not one: other
 * transports (`ext::`, `fd::`, `git://`), options (`--upload-pack=…`), credentials in the URL, `..`, look-alike letters.
 */
export function parseRemote(reference: string): Remote {
  if (reference.length === 0) throw refused('is empty');
  if (reference.length > MAX_LENGTH) throw refused(`is longer than ${MAX_LENGTH} characters`);
  const unseen = UNSEEN.exec(reference);
  if (unseen) throw refused(`holds a control or invisible character (${codePoint(unseen[0])})`);
  if (reference.trim() !== reference) throw refused('begins or ends with a space');
  if (reference.startsWith('-')) throw refused('begins with a dash, as an option does');
  if (/^[A-Za-z0-9+.-]+::/.test(reference))
    throw refused('names a remote helper, which could run any program');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(reference)) return parseUrl(reference);
  if (isAbsolute(reference)) return local(reference);
  if (/^[.~]/.test(reference)) throw refused('is a relative path; give an absolute one');
  const scp = SCP.exec(reference);
  if (scp) return parseScp(scp[1], scp[2] ?? '', scp[3] ?? '');
  return parseNamed(reference);
}

/** What the API needs of it: the canonical name, and whether it can be onboarded on first use. */
export function resolveRepo(reference: string): { repo: string; kind: Remote['kind'] } {
  const { repo, kind } = parseRemote(reference);
  return { repo, kind };
}

function parseUrl(text: string): Remote {
  // Before the URL class sees it: it would turn look-alike hosts into punycode and resolve `..` silently.
  const authority = /^[^:]*:\/\/([^/?#]*)/.exec(text)?.[1] ?? '';
  refuseForeignLetters(authority, 'its host');
  if (hasParentSegment(text)) throw refused('has a `..` segment in its path');
  if (authority === '' && !/^file:/i.test(text)) throw refused('has no host');
  const url = URL.parse(text);
  if (!url) throw refused('is not a valid URL');
  if (url.search !== '' || url.hash !== '') throw refused('has a query or a fragment');
  if (text.includes('\\')) throw refused('has a backslash');
  if (url.protocol === 'file:') {
    if (url.host !== '' && url.host !== 'localhost')
      throw refused('names a host; file:// takes only paths of this machine');
    return local(decoded(url.pathname));
  }
  if (!isTransport(url.protocol)) throw refused(`uses ${url.protocol.slice(0, -1)}, which is not supported`);
  if (url.password !== '' || (url.username !== '' && url.protocol !== 'ssh:')) throw refused(CREDENTIALS);
  if (url.username !== '' && !USER.test(decoded(url.username)))
    throw refused('has a user name that is not allowed');
  if (!HOST.test(url.hostname)) throw refused('has a host name that is not allowed');
  checkPath(decoded(url.pathname));
  const path = url.pathname.replace(/\/+$/, '');
  if (path === '') throw refused('has no path');
  const user = url.username === '' ? '' : `${url.username}@`;
  return {
    kind: 'url',
    transport: url.protocol === 'https:' ? 'https' : url.protocol === 'http:' ? 'http' : 'ssh',
    repo: `${url.protocol}//${user}${url.host.toLowerCase()}${path}`,
  };
}

const isTransport = (protocol: string): boolean => ['https:', 'http:', 'ssh:'].includes(protocol);

function parseScp(user: string | undefined, host: string, path: string): Remote {
  refuseForeignLetters(host, 'its host');
  if (user === undefined && /^[A-Za-z]$/.test(host)) throw refused('looks like a path of Windows');
  if (user === undefined && SCHEME.test(host)) throw refused(`has no // after ${host.toLowerCase()}:`);
  if (user === undefined && /^[^/]*@/.test(path)) throw refused(CREDENTIALS);
  if (user !== undefined && !USER.test(user)) throw refused('has a user name that is not allowed');
  if (!HOST.test(host)) throw refused('has a host name that is not allowed');
  if (path.replace(/^\/+/, '') === '') throw refused('has no path');
  checkPath(path);
  const at = user === undefined ? '' : `${user}@`;
  return { kind: 'url', transport: 'ssh', repo: `${at}${host.toLowerCase()}:${path.replace(/\/+$/, '')}` };
}

function parseNamed(text: string): Remote {
  refuseForeignLetters(text, 'owner or name');
  const [owner = '', last = '', ...rest] = text.split('/');
  const name = last.replace(/\.git$/, '');
  if (rest.length > 0 || !OWNER.test(owner) || !NAME.test(name) || /^\.{1,2}$|\.git$/.test(name))
    throw refused('is none of the forms that are understood');
  return { kind: 'named', transport: null, repo: `${owner}/${name}` };
}

function local(path: string): Remote {
  checkPath(path);
  const normal = normalize(path);
  return { kind: 'local', transport: 'file', repo: normal === '/' ? normal : normal.replace(/\/+$/, '') };
}

function checkPath(path: string): void {
  const unseen = UNSEEN.exec(path);
  if (unseen) throw refused(`holds a control or invisible character (${codePoint(unseen[0])})`);
  if (hasParentSegment(path)) throw refused('has a `..` segment in its path');
  if (path.includes('\\')) throw refused('has a backslash');
  // `host:-option`: ssh servers hand the path on as an argument.
  if (path.replace(/^\/+/, '').startsWith('-')) throw refused('has a path that begins with a dash');
}

const hasParentSegment = (path: string): boolean => /(?:^|[/\\])(?:\.|%2e){2}(?:$|[/\\])/i.test(path);

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused('has a broken percent-encoding');
  }
}

function refuseForeignLetters(text: string, where: string): void {
  const foreign = /[^\x20-\x7e]/u.exec(text);
  if (foreign)
    throw refused(
      `has a letter outside of ASCII in ${where} (${codePoint(foreign[0])}), which may only look like the right one`,
    );
}

const codePoint = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

const refused = (why: string): BgAgentError =>
  new BgAgentError('VALIDATION_ERROR', `repo: the reference ${why}; allowed: ${ALLOWED}`, { field: 'repo' });
