import { cleanLine } from './untrusted.ts';

export interface Column<Row> {
  title: string;
  /** The cell's text; it may come from anywhere, it is made safe here. */
  value(row: Row): string;
  align?: 'left' | 'right';
  /** Takes what room is left and is cut there; without one nothing is cut. */
  flexible?: boolean;
  /** Colours the padded cell. */
  paint?(cell: string, row: Row): string;
}

const GAP = '  ';

/** Aligned columns under their titles, one line a row, cut to `width` characters when there is a limit. */
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: { width?: number | undefined; title?: (text: string) => string } = {},
): string {
  const cells = rows.map((row) => columns.map((column) => cleanLine(column.value(row))));
  const widths = columns.map((column, index) =>
    Math.max(visible(column.title), ...cells.map((row) => visible(row[index] ?? ''))),
  );
  shrink(widths, columns, options.width);

  const line = (texts: readonly string[], row?: Row): string =>
    columns
      .map((column, index) => {
        const width = widths[index] ?? 0;
        const text = cut(texts[index] ?? '', width);
        const space = ' '.repeat(Math.max(0, width - visible(text)));
        const last = index === columns.length - 1 && column.align !== 'right';
        const padded = column.align === 'right' ? space + text : text + (last ? '' : space);
        return row !== undefined && column.paint ? column.paint(padded, row) : padded;
      })
      .join(GAP)
      .trimEnd();

  const heading = line(columns.map(({ title }) => title));
  const paintTitle = options.title ?? ((text: string) => text);
  return [paintTitle(heading), ...rows.map((row, index) => line(cells[index] ?? [], row))].join('\n');
}

function shrink(
  widths: number[],
  columns: readonly { flexible?: boolean }[],
  limit: number | undefined,
): void {
  const index = columns.findIndex(({ flexible }) => flexible);
  if (limit === undefined || index < 0) return;
  const total = widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1));
  const own = widths[index] ?? 0;
  if (total > limit) widths[index] = Math.max(8, own - (total - limit));
}

/** Pairs of label and value, the values aligned; pairs without a value are left out. */
export function pairs(
  entries: readonly (readonly [label: string, value: string | null | undefined])[],
  options: { indent?: string; label?: (text: string) => string } = {},
): string {
  const present = entries.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(0, ...present.map(([label]) => visible(label)));
  const paint = options.label ?? ((text: string) => text);
  return present
    .map(([label, value]) => `${options.indent ?? ''}${paint(label.padEnd(width))}${GAP}${value}`)
    .join('\n');
}

const visible = (text: string): number => [...text].length;

function cut(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`;
}
