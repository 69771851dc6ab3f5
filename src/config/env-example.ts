import type { SettingDefinition } from './setting-definition.js';
import { definitionsOf, groupNames } from './settings.schema.js';

/** A setting that MONGODB_URI may give is commented out: a copy of the file must not override the connection string. */
function describe(name: string, { about, unit, default: value, uriOption }: SettingDefinition): string {
  const isOff = value === undefined || uriOption !== undefined;
  const orUri = uriOption === undefined ? '' : ` Unset: ${uriOption} of MONGODB_URI, else as here.`;
  return `# ${about}${unit ? ` In ${unit}.` : ''}${orUri}\n${isOff ? '#' : ''}${name}=${value ?? ''}`;
}

/** The text of `.env.example`: every setting with its purpose, unit and default. */
export function renderEnvExample(): string {
  const head =
    '# Every setting of Colloquy with its default. Copy to .env and change what you need; a variable of the environment wins\n' +
    '# over .env. Made by `npm run settings:example`.\n';
  const groups = groupNames.map(
    (group) =>
      `\n# --- ${group} ---\n\n` +
      definitionsOf(group)
        .map(([name, definition]) => describe(name, definition))
        .join('\n\n') +
      '\n',
  );
  return head + groups.join('');
}
