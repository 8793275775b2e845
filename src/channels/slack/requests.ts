/** What people write to the bot. */

/** A task that is asked for: `owner/repo[#n] text`; undefined when it doesn't begin with a repository. */
export interface AskedTask {
  repo: string;
  issueNumber: number | null;
  description: string | null;
}

export function parseTask(text: string): AskedTask | undefined {
  const [, reference = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(text.trim()) ?? [];
  const [, repo = '', number] = /^(.*?)(?:#([1-9][0-9]{0,8}))?$/.exec(reference) ?? [];
  if (!repo.includes('/')) return undefined;
  const description = rest.trim();
  return {
    repo,
    issueNumber: number === undefined ? null : Number(number),
    description: description === '' ? null : description,
  };
}

/** A message as it was typed: without the mention it begins with, links and entities as plain text. */
export const typedText = (text: string): string =>
  text
    .replace(/^\s*<@[A-Z0-9]+(\|[^>]*)?>[\s,:]*/, '')
    .replace(/<([^>|]+)\|([^>]*)>/g, (_, link: string, label: string) =>
      /^[@#!]/.test(link) ? label || link : link,
    )
    .replace(/<((?:https?|ssh|git|mailto):[^>]+)>/g, '$1')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
    .trim();

/** The first word of a command and what follows. */
export function splitCommand(text: string): { word: string; rest: string } {
  const [, word = '', rest = ''] = /^\s*(\S*)\s*([\s\S]*)$/.exec(text) ?? [];
  return { word: word.toLowerCase(), rest: rest.trim() };
}
