/** Changes a Markdown text wherever it isn't code: blocks between fences and spans between backticks stay as they are. */
export function outsideCode(text: string, change: (prose: string) => string): string {
  const out: string[] = [];
  let prose: string[] = [];
  let fence: string | undefined;
  const flush = (): void => {
    if (prose.length > 0) out.push(outsideSpans(prose.join('\n'), change));
    prose = [];
  };
  for (const line of text.split('\n')) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence === undefined && mark === undefined) prose.push(line);
    else {
      flush();
      out.push(line);
      if (fence === undefined) fence = mark;
      else if (mark?.startsWith(fence)) fence = undefined;
    }
  }
  flush();
  return out.join('\n');
}

const outsideSpans = (text: string, change: (prose: string) => string): string =>
  text
    .split(/(`+[^`\n]+`+)/)
    .map((part, index) => (index % 2 === 0 ? change(part) : part))
    .join('');

/** Without what a page doesn't show of it: its HTML comments. In time that grows with the length, whatever it holds. */
export function withoutHtmlComments(text: string): string {
  let out = '';
  let from = 0;
  for (;;) {
    const begin = text.indexOf('<!--', from);
    const end = begin === -1 ? -1 : text.indexOf('-->', begin + 4);
    if (end === -1) return out + text.slice(from);
    out += text.slice(from, begin);
    from = end + 3;
  }
}
