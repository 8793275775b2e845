/** A page of a list as the API answers it. */
export const pageAnswer = <T>(items: T[], nextToken: string | null) => ({
  data: items,
  pagination: { next_token: nextToken, has_more: nextToken !== null },
});
