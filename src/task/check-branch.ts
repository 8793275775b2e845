import { BgAgentError } from './errors.ts';

/** Characters of a branch name. Longer ones break file systems on the way. */
const MAX_LENGTH = 200;

/**
 * Holds a branch name to git's own rules (`git check-ref-format --branch`) and to ours: ASCII only, so that no letter just
 * looks like another. Throws BRANCH_INVALID. Returns the name.
 */
export function checkBranchName(name: string): string {
  const fault = faultOf(name);
  if (fault !== undefined)
    throw new BgAgentError(
      'BRANCH_INVALID',
      `the branch name ${JSON.stringify(name.slice(0, 80))} ${fault}`,
      { field: 'branch_name' },
    );
  return name;
}

function faultOf(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (name.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters`;
  if (/[^\x21-\x7e]/.test(name)) return 'has a space, a control character or a letter outside of ASCII';
  if (/[~^:?*[\\]/.test(name)) return 'has one of ~ ^ : ? * [ \\';
  if (name.startsWith('-')) return 'begins with a dash';
  if (name.includes('..')) return 'has two dots in a row';
  if (name.includes('@{') || name === '@') return 'has @{, or is @';
  if (name === 'HEAD' || name.startsWith('refs/')) return 'is one that git uses itself';
  for (const part of name.split('/')) {
    if (part === '') return 'has an empty part (//, or a slash at an end)';
    if (part.startsWith('.') || part.endsWith('.')) return 'has a part that begins or ends with a dot';
    if (part.endsWith('.lock')) return 'has a part that ends with .lock';
  }
  return undefined;
}
