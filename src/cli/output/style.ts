import { styleText } from 'node:util';

type Paint = (text: string) => string;

/** Colours for people at a terminal; without `color` every paint leaves the text as it is. */
export interface Style {
  readonly color: boolean;
  bold: Paint;
  dim: Paint;
  good: Paint;
  bad: Paint;
  warn: Paint;
  accent: Paint;
}

type Format = Parameters<typeof styleText>[0];

export function createStyle(color: boolean): Style {
  const paint =
    (format: Format): Paint =>
    (text) =>
      color && text !== '' ? styleText(format, text, { validateStream: false }) : text;
  return {
    color,
    bold: paint('bold'),
    dim: paint('dim'),
    good: paint('green'),
    bad: paint('red'),
    warn: paint('yellow'),
    accent: paint('cyan'),
  };
}

/** The colour of a task's status. */
export function statusPaint(style: Style, status: string): Paint {
  if (status === 'COMPLETED') return style.good;
  if (status === 'FAILED' || status === 'TIMED_OUT') return style.bad;
  if (status === 'CANCELLED') return style.warn;
  return style.accent;
}
