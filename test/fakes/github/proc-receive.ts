import { execFileSync } from 'node:child_process';
import { readSync, writeSync } from 'node:fs';

/**
 * A hook of the fake: answers git's proc-receive protocol. A branch whose push changes a file in `.github/workflows` is refused with
 * the reason that FAKE_WORKFLOW_REFUSAL holds; git itself does the rest.
 */

function readExactly(size: number): Buffer {
  const buffer = Buffer.alloc(size);
  let at = 0;
  while (at < size) {
    const count = readSync(0, buffer, at, size - at, null);
    if (count === 0) process.exit(0);
    at += count;
  }
  return buffer;
}

/** One packet, or null for the flush between sections. */
function readPacket(): string | null {
  const size = Number.parseInt(readExactly(4).toString('latin1'), 16);
  return size === 0 ? null : readExactly(size - 4).toString('utf8');
}

function writePacket(text: string | null): void {
  const length = text === null ? 0 : Buffer.byteLength(text) + 4;
  writeSync(1, length.toString(16).padStart(4, '0') + (text ?? ''));
}

function changesWorkflow(before: string, after: string): string | undefined {
  if (/^0+$/.test(after)) return undefined;
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' });
  // A new branch is compared with what is there already.
  const known = /^0+$/.test(before) ? ['--not', '--all'] : [`^${before}`];
  const commits = git('rev-list', after, ...known).trim();
  if (commits === '') return undefined;
  const changed = commits
    .split('\n')
    .flatMap((commit) =>
      git('diff-tree', '--root', '--no-commit-id', '-r', '--name-only', commit).split('\n'),
    );
  return changed.find((path) => path.startsWith('.github/workflows/'));
}

readPacket();
while (readPacket() !== null);
writePacket('version=1\n');
writePacket(null);
for (let line = readPacket(); line !== null; line = readPacket()) {
  const [before = '', after = '', ref = ''] = line.trim().split(' ');
  const file = changesWorkflow(before, after);
  if (file !== undefined)
    writePacket(`ng ${ref} ${(process.env.FAKE_WORKFLOW_REFUSAL ?? '').replace('%s', file)}\n`);
  else {
    writePacket(`ok ${ref}\n`);
    writePacket('option fall-through\n');
  }
}
writePacket(null);
