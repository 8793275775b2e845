import { BgAgentError } from '../task/errors.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/;

/** The name of a secret, as every secret store takes it. Throws VALIDATION_ERROR. */
export function checkedSecretName(name: string): string {
  if (NAME.test(name)) return name;
  throw new BgAgentError(
    'VALIDATION_ERROR',
    'name: letters, digits and ._/- only, starting with a letter or digit',
    { field: 'name' },
  );
}
