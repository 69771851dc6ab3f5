import { z } from 'zod';

export const integer = (min: number, max: number): z.ZodType<number> =>
  z
    .string()
    .regex(/^-?\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));

export const boolean = z
  .enum(['true', 'false'], 'must be true or false')
  .transform((text) => text === 'true');

export const mongoUri = z
  .string()
  .regex(/^mongodb(\+srv)?:\/\/.+/, 'must start with mongodb:// or mongodb+srv://')
  .optional();

export const redisUrl = z
  .string()
  .regex(/^rediss?:\/\/.+/, 'must start with redis:// or rediss://')
  .refine((text) => URL.canParse(text), 'must be a valid URL, for example redis://127.0.0.1:6379')
  .optional();

export const httpUrl = z
  .string()
  .regex(/^https?:\/\/.+/, 'must start with http:// or https://')
  .refine((text) => URL.canParse(text), 'must be a valid URL, for example http://127.0.0.1:8080');

export const sentryDsn = z
  .string()
  .regex(
    /^https?:\/\/[^\s@/]+@[^\s@/]+\/(?:[^\s?#]*\/)?\d+$/,
    "must be a DSN in Sentry's format, for example https://key@sentry.example.com/1",
  )
  .optional();

/** The limits of one alert: a warning starts at `warning`, a critical alert at `critical`. */
export interface AlertLevels {
  warning: number;
  critical: number;
}

const levelsText = /^\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*$/;

/** Parses `WARNING,CRITICAL`, or `off` as null. `worse` is the direction in which values get worse. */
const alertLevels = (max: number, worse: 'higher' | 'lower'): z.ZodType<AlertLevels | null> =>
  z.string().transform((text, context) => {
    if (text.trim() === 'off') return null;
    const [, warning, critical] = (levelsText.exec(text) ?? []).map(Number);
    const fail = (message: string): never => {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    if (warning === undefined || critical === undefined)
      return fail('must be two numbers, for warning and critical, for example 1,2; or off');
    if (Math.max(warning, critical) > max) return fail(`must be at most ${max}`);
    if (worse === 'higher' ? critical < warning : critical > warning)
      return fail(`the second number must not be ${worse === 'higher' ? 'below' : 'above'} the first`);
    return { warning, critical };
  });

export const alertAbove = (
  value: string,
  max: number,
  about: string,
  unit?: string,
): SettingDefinition<z.ZodType<AlertLevels | null>> =>
  setting(alertLevels(max, 'higher'), about, { default: value, ...(unit !== undefined && { unit }) });

export const alertBelow = (
  value: string,
  max: number,
  about: string,
): SettingDefinition<z.ZodType<AlertLevels | null>> =>
  setting(alertLevels(max, 'lower'), about, { default: value });

export const notEmpty = z.string().min(1, 'must not be empty');

/** One setting: the schema for its text in the environment, its purpose, and the unit of a number. */
export interface SettingDefinition<Schema extends z.ZodType = z.ZodType> {
  schema: Schema;
  /** The default, as text in the environment. Absent: unset by default. */
  default?: string;
  /** Replaces `default`: defaults, as text, that depend on the value of another setting of the group. */
  byProfile?: { setting: string; defaults: Readonly<Record<string, string>> };
  unit?: string;
  /** The option of MONGODB_URI that provides the value when the setting is not in the environment. */
  uriOption?: string;
  /** A description for operators, in one or two sentences. */
  about: string;
}

/** Marks a setting that MONGODB_URI can also contain, under the driver's name for it. */
export const orInUri = <Schema extends z.ZodType>(
  uriOption: string,
  definition: SettingDefinition<Schema>,
): SettingDefinition<Schema> => ({ ...definition, uriOption });

export const setting = <Schema extends z.ZodType>(
  schema: Schema,
  about: string,
  rest: { default?: string; unit?: string } = {},
): SettingDefinition<Schema> => ({ schema, about, ...rest });

export const ms = (
  value: number,
  min: number,
  max: number,
  about: string,
): SettingDefinition<z.ZodType<number>> =>
  setting(integer(min, max), about, { default: String(value), unit: 'milliseconds' });

export const count = (
  value: number,
  min: number,
  max: number,
  about: string,
): SettingDefinition<z.ZodType<number>> => setting(integer(min, max), about, { default: String(value) });

export const hour = 3_600_000;

export const transcriptProfiles = ['balanced', 'throughput', 'latency'] as const;

/**
 * A whole number whose default depends on TRANSCRIPT_PROFILE. `values` are in the order of
 * `transcriptProfiles`.
 */
export const byTranscriptProfile = (
  values: readonly [balanced: number, throughput: number, latency: number],
  schema: z.ZodType<number>,
  about: string,
  unit?: string,
): SettingDefinition<z.ZodType<number>> => ({
  schema,
  about: `${about} Unset: depends on TRANSCRIPT_PROFILE (${values.join(', ')}).`,
  ...(unit !== undefined && { unit }),
  byProfile: {
    setting: 'TRANSCRIPT_PROFILE',
    defaults: Object.fromEntries(transcriptProfiles.map((name, index) => [name, String(values[index])])),
  },
});
