import type { OutcomeReport } from '../../task/protocol.ts';
import { regressed } from '../../task/verification.ts';
import { workTitle } from '../../task/work-title.ts';
import { asked, footer, parts, type ReportedTask, said, verification } from './report.ts';

interface Told {
  /** As it will be when the runner's report is taken in. */
  task: ReportedTask;
  publicUrl: string | null;
}

/** Title and body of the pull request that a task opens. */
export function pullRequestText(
  { task, publicUrl }: Told,
  { summary, title }: { summary: string | null; title: string },
): { title: string; body: string } {
  const work = workTitle(summary);
  return {
    title: plainTitle(work.title ?? title),
    body: parts(
      regressed(task.verification)
        ? '> [!WARNING]\n> A check that passed before this change does not pass any more: see below.'
        : '',
      `### What\n\n${said(work.rest, 'The agent said nothing of what it did.')}`,
      asked(task),
      verification(task),
      footer(task, publicUrl),
    ),
  };
}

/** What the people of a pull request are told when a task has worked on it. */
export function iterationText(
  { task, publicUrl }: Told,
  { summary, head_sha, rebased_onto }: Pick<OutcomeReport, 'summary' | 'head_sha' | 'rebased_onto'>,
): string {
  const { title, rest } = workTitle(summary);
  const text = parts(title === null ? '' : `**${said(title, '')}**`, rest === '' ? '' : said(rest, ''));
  return parts(
    head_sha === null ? '### Nothing was changed' : `### Pushed ${head_sha}`,
    rebased_onto === null
      ? ''
      : `${rebased_onto} was pushed meanwhile; this work is on top of it. The checks below ran before that.`,
    text === '' ? 'The agent said nothing of what it did.' : text,
    head_sha === null ? '' : verification(task),
    footer(task, publicUrl),
  );
}

/** The body of a review. */
export const reviewText = ({ task, publicUrl }: Told, summary: string): string =>
  parts(said(summary, 'See the comments below.'), footer(task, publicUrl));

const plainTitle = (title: string): string => title.replace(/\p{Cc}+/gu, ' ').replace(/@(?=\w)/g, '@\u200b');
