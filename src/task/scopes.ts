/** What an API key may do. `admin` may do everything. */
export const API_KEY_SCOPES = [
  'tasks:read',
  'tasks:write',
  'tasks:cancel',
  'webhooks:manage',
  'webhooks:invoke',
  'admin',
] as const;
export type ApiKeyScope = (typeof API_KEY_SCOPES)[number];
