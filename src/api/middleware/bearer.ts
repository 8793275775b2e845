/** The token of `Authorization: Bearer <token>`; undefined when the header is missing or of another kind. */
export const bearerToken = (authorization: string | undefined): string | undefined =>
  /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
