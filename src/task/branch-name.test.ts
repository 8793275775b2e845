import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { taskBranch } from './branch-name.ts';

const ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

describe('the branch of a task', () => {
  it.each([
    ['Add a greeting', 'add-a-greeting'],
    ['  Fix #12: "crash" in src/a.ts!  ', 'fix-12-crash-in-src-a-ts'],
    ['Überprüfe die Größe', 'uberprufe-die-gro-e'],
    ['修复登录', 'task'],
    ['', 'task'],
    [null, 'task'],
    ['--upload-pack=touch /tmp/x; ../../etc', 'upload-pack-touch-tmp-x-etc'],
    ['Rename the configuration option that nobody understands', 'rename-the-configuration-option-that'],
    ['x'.repeat(100), 'x'.repeat(40)],
  ])('says what %j is about (R1)', (description, slug) => {
    expect(taskBranch(ID, description)).toBe(`bgagent/${ID}/${slug}`);
  });

  it('is a name that git takes, whatever the description', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (description) => {
        expect(taskBranch(ID, description)).toMatch(
          /^bgagent\/01ARZ3NDEKTSV4RRFFQ69G5FAV\/[a-z0-9]+(-[a-z0-9]+)*$/,
        );
        expect(taskBranch(ID, description).length).toBeLessThanOrEqual(75);
      }),
    );
  });
});
