import { mongoUriOptions } from './mongo-uri.js';
import type { SettingDefinition } from './setting-definition.js';
import { definitionsOf, groupNames, type Settings } from './settings.schema.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** All that is wrong with the settings, at once; the message is ready to be printed. */
export class SettingsError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`Settings are not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'SettingsError';
  }
}

const secret = /KEY|SECRET|PASSWORD|URI|URL|TOKEN|DSN/;

const given = (name: string, env: Environment): string | undefined => {
  const text = env[name]?.trim();
  return text === '' ? undefined : text;
};

/** A profile that does not exist is a problem of its own setting; here the first one stands in for it. */
function defaultOf({ default: fixed, byProfile }: SettingDefinition, env: Environment): string | undefined {
  if (!byProfile) return fixed;
  const { setting, defaults } = byProfile;
  return defaults[given(setting, env) ?? ''] ?? Object.values(defaults)[0];
}

/** What MONGODB_URI says of a setting, where it has an option for it. */
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

function checkTogether(settings: Settings, problems: string[]): void {
  const { service, database, transcript, monitoring } = settings;
  if (service.NODE_ENV === 'production' && service.ADMIN_API_KEY === undefined)
    problems.push(
      'ADMIN_API_KEY: is required when NODE_ENV=production; set a random text of 16 or more characters',
    );
  if (transcript.EMBEDDER === 'openai' && transcript.OPENAI_EMBEDDINGS_URL === undefined)
    problems.push(
      'OPENAI_EMBEDDINGS_URL: is required when EMBEDDER=openai, for example http://127.0.0.1:8080/v1',
    );
  if (transcript.VECTOR_SEARCH === 'atlas' && database.MONGODB_URI === undefined)
    problems.push(
      'VECTOR_SEARCH: atlas needs a MongoDB server with vector search, which the embedded store is not; set MONGODB_URI, or VECTOR_SEARCH=memory',
    );
  if (monitoring.HEALTH_DISK_CRITICAL_BYTES > monitoring.HEALTH_DISK_MIN_BYTES)
    problems.push(
      `HEALTH_DISK_CRITICAL_BYTES: ${monitoring.HEALTH_DISK_CRITICAL_BYTES} must not be above HEALTH_DISK_MIN_BYTES=${monitoring.HEALTH_DISK_MIN_BYTES}`,
    );
  if (database.MONGODB_MIN_POOL_SIZE > database.MONGODB_MAX_POOL_SIZE)
    problems.push(
      `MONGODB_MIN_POOL_SIZE: ${database.MONGODB_MIN_POOL_SIZE} must not be above MONGODB_MAX_POOL_SIZE=${database.MONGODB_MAX_POOL_SIZE}`,
    );
}

const isAddress = /(URI|URL|DSN)$/;
const isSecret = /(KEY|SECRET|PASSWORD|TOKEN)$/;

/** User name and password of an address, as they stand in it and decoded. */
function credentialsOf(address: string): string[] {
  const [, user = '', password = ''] = /^[\w+.-]+:\/\/([^:/?#]*?)(?::(.*))?@/.exec(address) ?? [];
  const secrets = password === '' ? [] : [password];
  // A DSN has its key in the place of the user.
  if (/^https?:/.test(address) && user !== '') secrets.push(user);
  return secrets.flatMap((text) => {
    try {
      return [text, decodeURIComponent(text)];
    } catch {
      return [text];
    }
  });
}

/** The secrets among the settings, so that logs and reports can be searched for them: keys, and the credentials in addresses. */
export function secretsOf(settings: Settings): string[] {
  const secrets = groupNames
    .flatMap((group) => Object.entries<unknown>(settings[group]))
    .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    .flatMap(([name, value]) =>
      isSecret.test(name) ? [value] : isAddress.test(name) ? credentialsOf(value) : [],
    );
  return [...new Set(secrets)];
}

/**
 * Reads and checks every setting. Empty text counts as unset.
 * @throws SettingsError with every problem at once
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
