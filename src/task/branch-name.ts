/** Longest slug in a branch name, in characters. */
const SLUG_LENGTH = 40;

/** `bgagent/<task id>/<slug>`: the id makes it unique, the slug tells people what it is about. */
export const taskBranch = (taskId: string, description: string | null): string =>
  `bgagent/${taskId}/${slug(description ?? '')}`;

/** Lower-case letters, digits and single dashes of the text's first words; `task` when nothing is left. */
function slug(text: string): string {
  const plain = text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '');
  const cut =
    plain.length <= SLUG_LENGTH
      ? plain
      : plain.slice(
          0,
          plain.lastIndexOf('-', SLUG_LENGTH) > 8 ? plain.lastIndexOf('-', SLUG_LENGTH) : SLUG_LENGTH,
        );
  return cut.replace(/-+$/, '') || 'task';
}
