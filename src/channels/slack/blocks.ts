/** The part of Block Kit that our messages use. Verbatim text: Slack turns nothing in it into links or mentions. */
export type Block =
  | { type: 'section'; text: Mrkdwn }
  | { type: 'context'; elements: Mrkdwn[] }
  | { type: 'actions'; elements: Button[] };

interface Mrkdwn {
  type: 'mrkdwn';
  text: string;
  verbatim: true;
}

interface PlainText {
  type: 'plain_text';
  text: string;
}

export interface Button {
  type: 'button';
  text: PlainText;
  action_id: string;
  value?: string;
  url?: string;
  style?: 'primary' | 'danger';
  confirm?: { title: PlainText; text: PlainText; confirm: PlainText; deny: PlainText; style?: 'danger' };
}

/** `text` is what notifications and screen readers say. */
export interface SlackMessage {
  text: string;
  blocks: Block[];
}

const mrkdwn = (text: string): Mrkdwn => ({ type: 'mrkdwn', text, verbatim: true });
export const plain = (text: string): PlainText => ({ type: 'plain_text', text });
/** Characters of a section, at most, as they are sent: an escaped character counts as several. */
const SECTION_CHARS = 3_000;

/** The lines that are there, in as few sections as they fit. */
export function sections(lines: readonly (string | undefined)[]): Block[] {
  const texts: string[] = [];
  for (const line of lines) {
    if (line === undefined || line === '') continue;
    const last = texts.at(-1);
    if (last !== undefined && last.length + line.length < SECTION_CHARS)
      texts[texts.length - 1] = `${last}\n${line}`;
    else texts.push(line);
  }
  return texts.map((text) => ({ type: 'section', text: mrkdwn(text) }));
}

export const context = (...texts: string[]): Block => ({ type: 'context', elements: texts.map(mrkdwn) });
export const actions = (...buttons: (Button | undefined)[]): Block[] => {
  const present = buttons.filter((button) => button !== undefined);
  return present.length > 0 ? [{ type: 'actions', elements: present }] : [];
};
