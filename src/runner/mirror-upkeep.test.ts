import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bareRepo, git as plainGit } from '../../test/fixtures/git-repo.ts';
import { createGit } from '../forge/git/git.ts';
import { keepUpMirrors } from './mirror-upkeep.ts';

const NOW = Date.parse('2030-01-01T12:00:00Z');
const MB = 1024 * 1024;

describe('the upkeep of mirrors', () => {
  let workDir: string;
  beforeEach(async () => {
    workDir = await mkdtemp(join(tmpdir(), 'bgagent-upkeep-'));
    mkdirSync(join(workDir, 'runs'));
  });
  afterEach(() => rm(workDir, { recursive: true, force: true }));

  const keepUp = (maxBytes: number) =>
    keepUpMirrors({
      git: createGit({ environment: { PATH: process.env.PATH } }),
      workDir,
      maxBytes,
      now: () => NOW,
      signal: new AbortController().signal,
    });
  const left = (): string[] => readdirSync(join(workDir, 'mirrors')).sort();

  /** A mirror of one megabyte, last used so many minutes ago. */
  function addMirror(name: string, minutesAgo: number): string {
    const path = join(workDir, 'mirrors', `${name}.git`);
    mkdirSync(join(path, 'objects/pack'), { recursive: true });
    writeFileSync(join(path, 'objects/pack/pack-1.pack'), Buffer.alloc(MB));
    const at = new Date(NOW - minutesAgo * 60_000);
    utimesSync(path, at, at);
    return path;
  }

  it('removes the least recently used until the rest fits', async () => {
    addMirror('old', 300);
    addMirror('older', 400);
    addMirror('new', 100);
    await keepUp(2.5 * MB);
    expect(left()).toEqual(['new.git', 'old.git']);
  });

  it('spares what a run shares, and what was used a moment ago', async () => {
    const shared = addMirror('shared', 400);
    addMirror('fresh', 1);
    addMirror('old', 300);
    mkdirSync(join(workDir, 'runs/x-1/git/objects/info'), { recursive: true });
    writeFileSync(join(workDir, 'runs/x-1/git/objects/info/alternates'), `${shared}/objects\n`);
    await keepUp(0);
    expect(left()).toEqual(['fresh.git', 'shared.git']);
  });

  it('finishes what an upkeep before it did not', async () => {
    mkdirSync(join(workDir, 'mirrors/.trash-1-old.git/objects'), { recursive: true });
    await keepUp(10 * MB);
    expect(left()).toEqual([]);
  });

  it('joins many packs into few, and loses no object', async () => {
    const repo = bareRepo(workDir);
    const mirror = join(workDir, 'mirrors/hello.git');
    mkdirSync(join(workDir, 'mirrors'));
    plainGit(workDir, 'clone', '--quiet', '--bare', repo, mirror);
    for (let n = 0; n < 45; n += 1) {
      writeFileSync(join(workDir, 'file'), `content ${n}`);
      const sha = plainGit(mirror, 'hash-object', '-w', join(workDir, 'file'));
      plainGit(mirror, 'update-ref', `refs/bgagent/${n}`, sha);
      plainGit(mirror, 'repack', '--quiet', '-d');
    }
    await keepUp(100 * MB);
    expect(
      readdirSync(join(mirror, 'objects/pack')).filter((file) => file.endsWith('.pack')).length,
    ).toBeLessThan(10);
    plainGit(mirror, 'fsck', '--full');
    expect(plainGit(mirror, 'for-each-ref', 'refs/bgagent').split('\n')).toHaveLength(45);
  });
});
