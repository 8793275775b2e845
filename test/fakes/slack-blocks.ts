/** Block Kit's limits for the blocks that bots send, as Slack documents them. Returns what is wrong. */
export function blockProblems(blocks: unknown): string[] {
  if (!Array.isArray(blocks)) return ['blocks: not a list'];
  const problems: string[] = blocks.length > 50 ? ['more than 50 blocks'] : [];
  blocks.forEach((block: unknown, index) => {
    const { type, ...rest } = objectOf(block);
    const at = `block ${index} (${String(type)})`;
    if (type === 'section') problems.push(...textProblems(`${at}.text`, rest.text, 3_000));
    else if (type === 'context') {
      const elements = listOf(rest.elements);
      if (elements.length < 1 || elements.length > 10) problems.push(`${at}: 1 to 10 elements`);
      for (const element of elements) problems.push(...textProblems(`${at}.element`, element, 3_000));
    } else if (type === 'actions') {
      const elements = listOf(rest.elements);
      if (elements.length < 1 || elements.length > 25) problems.push(`${at}: 1 to 25 elements`);
      const ids = elements.map((element) => objectOf(element).action_id);
      if (new Set(ids).size !== ids.length) problems.push(`${at}: action ids twice`);
      for (const element of elements) problems.push(...buttonProblems(at, objectOf(element)));
    } else problems.push(`${at}: unknown type`);
  });
  return problems;
}

function buttonProblems(at: string, button: Record<string, unknown>): string[] {
  const { type, text, action_id, value, url, style, confirm } = button;
  const problems = textProblems(`${at}.text`, text, 75, 'plain_text');
  if (type !== 'button') problems.push(`${at}: not a button`);
  if (typeof action_id !== 'string' || action_id.length > 255) problems.push(`${at}: action_id`);
  if (value !== undefined && (typeof value !== 'string' || value.length > 2_000))
    problems.push(`${at}: value`);
  if (url !== undefined && (typeof url !== 'string' || url.length > 3_000 || !URL.canParse(url)))
    problems.push(`${at}: url`);
  if (style !== undefined && style !== 'primary' && style !== 'danger') problems.push(`${at}: style`);
  if (confirm === undefined) return problems;
  const dialog = objectOf(confirm);
  return [
    ...problems,
    ...textProblems(`${at}.confirm.title`, dialog.title, 100, 'plain_text'),
    ...textProblems(`${at}.confirm.text`, dialog.text, 300),
    ...textProblems(`${at}.confirm.confirm`, dialog.confirm, 30, 'plain_text'),
    ...textProblems(`${at}.confirm.deny`, dialog.deny, 30, 'plain_text'),
  ];
}

function textProblems(at: string, value: unknown, max: number, only?: string): string[] {
  const { type, text, ...rest } = objectOf(value);
  if (type !== 'plain_text' && type !== 'mrkdwn') return [`${at}: no text object`];
  if (only !== undefined && type !== only) return [`${at}: must be ${only}`];
  if (typeof text !== 'string' || text.length < 1 || text.length > max)
    return [`${at}: 1 to ${max} characters`];
  const unknown = Object.keys(rest).filter(
    (name) => name !== 'emoji' && !(name === 'verbatim' && type === 'mrkdwn'),
  );
  return unknown.map((name) => `${at}: no field ${name}`);
}

const objectOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
