import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { BgAgentError } from '../task/errors.ts';
import { type Settings, settingsSchema } from './settings.ts';

/** What this process is told by its environment. Nothing else reads variables. */
export interface Environment {
  /** BGAGENT_DATA_DIR; `~/.bgagent` by default. */
  dataDir: string;
  /** BGAGENT_API_URL */
  apiUrl: string | undefined;
  /** BGAGENT_API_KEY */
  apiKey: string | undefined;
  /** BGAGENT_<SETTING>, by setting. */
  settings: Partial<Settings>;
  /** BGAGENT_SECRET_<NAME>, by the name as the variable has it (`GITHUB_TOKEN`), and the keys of model providers. */
  secrets: Readonly<Record<string, string>>;
  /** Variables that begin with BGAGENT_ and mean nothing: misspelt, most likely. */
  unknown: readonly string[];
  /** How a person types the command line: `bgagent`, or npm's way of running it from a clone. */
  program: string;
  /** NO_COLOR is set. */
  noColor: boolean;
  /** What programs that this process starts inherit: the tools' path, locale and folders, no secrets. */
  inherited: Readonly<Record<string, string>>;
}

const PREFIX = 'BGAGENT_';
const SECRET_PREFIX = 'BGAGENT_SECRET_';

/** Variables of ours that are no settings. REQUIRE_SANDBOX is the tests'. */
const OTHERS = new Set(['BGAGENT_DATA_DIR', 'BGAGENT_API_URL', 'BGAGENT_API_KEY', 'BGAGENT_REQUIRE_SANDBOX']);

/** What people have set already for the providers of models; BGAGENT_SECRET_<NAME> and BGAGENT_<SETTING> come first. */
const PROVIDER_SECRETS = ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'OPENAI_API_KEY'] as const;
const PROVIDER_SETTINGS = [
  ['ANTHROPIC_BASE_URL', 'anthropic_base_url'],
  ['OPENAI_BASE_URL', 'openai_base_url'],
] as const;

const INHERITED =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|SSH_AUTH_SOCK|SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy)$/;

/** Throws VALIDATION_ERROR naming the variable whose value can't be used. Empty values count as not set. */
export function readEnvironment(variables: NodeJS.ProcessEnv = process.env): Environment {
  const given = Object.entries(variables).filter((entry): entry is [string, string] => !!entry[1]);
  const ours = given.filter(([name]) => name.startsWith(PREFIX));
  const settings: Record<string, unknown> = {};
  const secrets: Record<string, string> = {};
  const unknown: string[] = [];
  for (const [name, value] of ours) {
    const setting = name.slice(PREFIX.length).toLowerCase();
    if (OTHERS.has(name)) continue;
    if (name.startsWith(SECRET_PREFIX)) secrets[name.slice(SECRET_PREFIX.length)] = value;
    else if (isSetting(setting)) settings[setting] = parseSetting(name, setting, value);
    else unknown.push(name);
  }
  for (const name of PROVIDER_SECRETS) {
    const value = variables[name];
    if (value) secrets[name] ??= value;
  }
  for (const [variable, setting] of PROVIDER_SETTINGS) {
    const value = variables[variable];
    if (value) settings[setting] ??= parseSetting(variable, setting, value);
  }
  return {
    dataDir: variables.BGAGENT_DATA_DIR || join(variables.HOME || homedir(), '.bgagent'),
    apiUrl: variables.BGAGENT_API_URL || undefined,
    apiKey: variables.BGAGENT_API_KEY || undefined,
    settings,
    secrets,
    unknown: unknown.sort(),
    program: isRunByNpm(variables) ? 'npm run --silent bgagent --' : 'bgagent',
    noColor: !!variables.NO_COLOR,
    inherited: Object.fromEntries(given.filter(([name]) => INHERITED.test(name))),
  };
}

/** npm tells what it runs of which package: `run-script` up to version 10, then `run`. */
const isRunByNpm = ({ npm_command, npm_package_name }: NodeJS.ProcessEnv): boolean =>
  (npm_command === 'run' || npm_command === 'run-script') && npm_package_name === 'bgagent';

type SettingName = keyof typeof settingsSchema.shape;
const isSetting = (name: string): name is SettingName => Object.hasOwn(settingsSchema.shape, name);

/** A variable's text as the setting's type: numbers, true and false, lists with commas, `null` where it is allowed. */
function parseSetting(variable: string, name: SettingName, text: string): unknown {
  const field: z.ZodType = settingsSchema.shape[name];
  const result = field.safeParse(toValue(field, text));
  if (result.success) return result.data;
  const reason = result.error.issues[0]?.message ?? 'is not valid';
  throw new BgAgentError('VALIDATION_ERROR', `${variable}="${text.slice(0, 100)}": ${reason}`, {
    field: name,
  });
}

function toValue(field: z.ZodType, text: string): unknown {
  const { type, nullable } = kindOf(field);
  if (nullable && text === 'null') return null;
  if (type === 'number') return /^-?[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : text;
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  if (type === 'record') return parseJson(text);
  if (type === 'array')
    return text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  return text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema says what is expected instead.
    return text;
  }
}

/** The type below defaults and `nullable`. */
function kindOf(field: z.core.$ZodType): { type: string; nullable: boolean } {
  if (field instanceof z.ZodDefault) return kindOf(field.unwrap());
  if (field instanceof z.ZodNullable) return { ...kindOf(field.unwrap()), nullable: true };
  return { type: field._zod.def.type, nullable: false };
}
