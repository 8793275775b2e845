import { z } from 'zod';
import { messageOf } from '../task/errors.ts';
import { REVIEW_LIMITS, type Review } from '../task/protocol.ts';

/** What the file may hold. What is too long is cut, not refused: the agent can't be asked again. */
const fileSchema = z.object({
  summary: z.string(),
  comments: z
    .array(z.object({ path: z.string().min(1), line: z.number().int().min(1), body: z.string().min(1) }))
    .default([]),
});

/**
 * The review that an agent left: from its file, else the text that it said at its end. `fault` says what is wrong with the file;
 * without a review it's why there is none.
 */
export function reviewOf(
  file: string | null,
  said: string | null,
): { review: Review | null; fault: string | null } {
  const { value, fault } = parse(file);
  if (value) {
    const left = value.comments.slice(REVIEW_LIMITS.comments);
    return {
      review: {
        summary: cut(value.summary.trim() || said?.trim() || '', REVIEW_LIMITS.summary),
        comments: value.comments.slice(0, REVIEW_LIMITS.comments).map(({ path, line, body }) => ({
          path: tidyPath(path),
          line,
          body: cut(body, REVIEW_LIMITS.body),
        })),
      },
      fault: left.length > 0 ? `${left.length} comments of the review are left out: too many` : null,
    };
  }
  const text = said?.trim() ?? '';
  return {
    review: text === '' ? null : { summary: cut(text, REVIEW_LIMITS.summary), comments: [] },
    fault,
  };
}

function parse(file: string | null): { value: z.infer<typeof fileSchema> | null; fault: string | null } {
  if (file === null) return { value: null, fault: null };
  try {
    const { data, error } = fileSchema.safeParse(JSON.parse(file));
    if (data) return { value: data, fault: null };
    const [issue] = error.issues;
    return {
      value: null,
      fault: `the file of the review can not be used: ${issue?.path.join('.')}: ${issue?.message}`,
    };
  } catch (error) {
    return { value: null, fault: `the file of the review is no JSON: ${messageOf(error).slice(0, 200)}` };
  }
}

/** As the diff of the pull request has it. */
const tidyPath = (path: string): string => path.replace(/^(?:\.\/)+/, '').slice(0, REVIEW_LIMITS.path);

const cut = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 20)}\n[… cut here]`;
