import { mongoUriOptions } from './mongo-uri.js';
import type { SettingDefinition } from './setting-definition.js';
import { definitionsOf, groupNames, type Settings } from './settings.schema.js';
import { HOW_TO_MAKE_A_KEY, weaknessOf } from './weak-key.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Lists all problems with the settings. The message can be printed as it is. */
export class SettingsError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`The settings are not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'SettingsError';
  }
}

const secret = /KEY|SECRET|PASSWORD|URI|URL|TOKEN|DSN/;

const given = (name: string, env: Environment): string | undefined => {
  const text = env[name]?.trim();
  return text === '' ? undefined : text;
};

/** An unknown profile is reported for its own setting; here the first profile is used instead. */
function defaultOf({ default: fixed, byProfile }: SettingDefinition, env: Environment): string | undefined {
  if (!byProfile) return fixed;
  const { setting, defaults } = byProfile;
  return defaults[given(setting, env) ?? ''] ?? Object.values(defaults)[0];
}

/** The value of a setting in MONGODB_URI, if there is an option for it. */
const inUri = ({ uriOption }: SettingDefinition, env: Environment): string | undefined =>
  uriOption === undefined
    ? undefined
    : mongoUriOptions(given('MONGODB_URI', env) ?? '').get(uriOption.toLowerCase());

function readOne(name: string, definition: SettingDefinition, env: Environment, problems: string[]): unknown {
  const preset = defaultOf(definition, env);
  const text = given(name, env) ?? inUri(definition, env) ?? preset;
  const result = definition.schema.safeParse(text);
  if (result.success) return result.data;
  const shown = secret.test(name) ? '' : `"${text ?? ''}" `;
  const unit = definition.unit ? ` (${definition.unit})` : '';
  const reason = result.error.issues[0]?.message ?? 'is not valid';
  const example = preset === undefined ? '' : `, for example ${name}=${preset}`;
  problems.push(`${name}: ${shown}${reason}${unit}${example}`);
  return undefined;
}

/** What production requires in addition; docs/security.md has the whole checklist. */
function checkForProduction({ service, monitoring }: Settings, problems: string[]): void {
  if (service.ADMIN_API_KEY === undefined)
    problems.push(`ADMIN_API_KEY: is required when NODE_ENV=production; ${HOW_TO_MAKE_A_KEY}`);
  const keys = { ADMIN_API_KEY: service.ADMIN_API_KEY, METRICS_TOKEN: monitoring.METRICS_TOKEN };
  for (const [name, key] of Object.entries(keys)) {
    const weakness = key === undefined ? undefined : weaknessOf(key);
    if (weakness !== undefined)
      problems.push(`${name}: is too weak for NODE_ENV=production: it ${weakness}; ${HOW_TO_MAKE_A_KEY}`);
  }
  if (monitoring.METRICS_TOKEN !== undefined && monitoring.METRICS_TOKEN === service.ADMIN_API_KEY)
    problems.push(`METRICS_TOKEN: must not be the ADMIN_API_KEY; ${HOW_TO_MAKE_A_KEY}`);
}

function checkTogether(settings: Settings, problems: string[]): void {
  const { service, database, transcript, archive, monitoring } = settings;
  if (service.NODE_ENV === 'production') checkForProduction(settings, problems);
  if (transcript.EMBEDDER === 'openai' && transcript.OPENAI_EMBEDDINGS_URL === undefined)
    problems.push(
      'OPENAI_EMBEDDINGS_URL: is required when EMBEDDER=openai, for example http://127.0.0.1:8080/v1',
    );
  if (transcript.VECTOR_SEARCH === 'atlas' && database.MONGODB_URI === undefined)
    problems.push(
      'VECTOR_SEARCH: atlas requires a MongoDB server with vector search, which the embedded store does not support; set MONGODB_URI, or VECTOR_SEARCH=memory',
    );
  if (
    (archive.ARCHIVE_S3_ACCESS_KEY_ID === undefined) !==
    (archive.ARCHIVE_S3_SECRET_ACCESS_KEY === undefined)
  )
    problems.push('ARCHIVE_S3_ACCESS_KEY_ID and ARCHIVE_S3_SECRET_ACCESS_KEY: set both, or neither');
  if (monitoring.HEALTH_DISK_CRITICAL_BYTES > monitoring.HEALTH_DISK_MIN_BYTES)
    problems.push(
      `HEALTH_DISK_CRITICAL_BYTES: ${monitoring.HEALTH_DISK_CRITICAL_BYTES} must not exceed HEALTH_DISK_MIN_BYTES=${monitoring.HEALTH_DISK_MIN_BYTES}`,
    );
  if (database.MONGODB_MIN_POOL_SIZE > database.MONGODB_MAX_POOL_SIZE)
    problems.push(
      `MONGODB_MIN_POOL_SIZE: ${database.MONGODB_MIN_POOL_SIZE} must not exceed MONGODB_MAX_POOL_SIZE=${database.MONGODB_MAX_POOL_SIZE}`,
    );
}

const isAddress = /(URI|URL|DSN)$/;
const isSecret = /(KEY|SECRET|PASSWORD|TOKEN)$/;

/** The user name and password in a URL, both as written and decoded. */
function credentialsOf(address: string): string[] {
  const [, user = '', password = ''] = /^[\w+.-]+:\/\/([^:/?#]*?)(?::(.*))?@/.exec(address) ?? [];
  const secrets = password === '' ? [] : [password];
  // A DSN contains its key in place of the user name.
  if (/^https?:/.test(address) && user !== '') secrets.push(user);
  return secrets.flatMap((text) => {
    try {
      return [text, decodeURIComponent(text)];
    } catch {
      return [text];
    }
  });
}

/**
 * Returns the secrets among the settings, so that they can be redacted from logs and reports: keys, and the
 * credentials in URLs.
 */
export function secretsOf(settings: Settings): string[] {
  const secrets = groupNames
    .flatMap((group) => Object.entries<unknown>(settings[group]))
    .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    .flatMap(([name, value]) =>
      // SECRETS_KEY may be a list.
      isSecret.test(name) ? [value, ...value.split(',')] : isAddress.test(name) ? credentialsOf(value) : [],
    );
  return [...new Set(secrets)];
}

/**
 * Reads and validates all settings. Empty text counts as unset.
 * @throws SettingsError that lists every problem
 */
export function loadSettings(env: Environment): Settings {
  const problems: string[] = [];
  const groups = groupNames.map((group) => [
    group,
    Object.freeze(
      Object.fromEntries(
        definitionsOf(group).map(([name, definition]) => [name, readOne(name, definition, env, problems)]),
      ),
    ),
  ]);
  const settings = Object.freeze(Object.fromEntries(groups)) as Settings;
  if (problems.length === 0) checkTogether(settings, problems);
  if (problems.length > 0) throw new SettingsError(problems);
  return settings;
}
