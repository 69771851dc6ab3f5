import { double, isNumeric, toNumber, typeName, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

/** The numbers of each series within one decade. They repeat in every decade, scaled by a power of ten. */
const series: Readonly<Record<string, readonly number[]>> = {
  '1-2-5': [10, 20, 50],
  R5: [10, 16, 25, 40, 63],
  R10: [100, 125, 160, 200, 250, 315, 400, 500, 630, 800],
  R20: [100, 112, 125, 140, 160, 180, 200, 224, 250, 280, 315, 355, 400, 450, 500, 560, 630, 710, 800, 900],
  R40: [
    100, 106, 112, 118, 125, 132, 140, 150, 160, 170, 180, 190, 200, 212, 224, 236, 250, 265, 280, 300, 315,
    335, 355, 375, 400, 425, 450, 475, 500, 530, 560, 600, 630, 670, 710, 750, 800, 850, 900, 950,
  ],
  R80: [
    103, 109, 115, 122, 128, 136, 145, 155, 165, 175, 185, 195, 206, 218, 230, 243, 258, 272, 290, 307, 325,
    345, 365, 387, 412, 437, 462, 487, 515, 545, 575, 615, 650, 690, 730, 775, 825, 875, 925, 975,
  ],
  E6: [10, 15, 22, 33, 47, 68],
  E12: [10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82],
  E24: [10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91],
};

/** IEC 60063 rounds powers of the 192nd root of ten to three digits, with one exception. */
const fine = (step: number): number[] =>
  Array.from({ length: 192 / step }, (_, i) => {
    const value = Math.round(100 * 10 ** ((i * step) / 192));
    return value === 919 ? 920 : value;
  });

const numbersOf = (name: string): readonly number[] | undefined => {
  if (name === 'R80') return [...(series['R40'] ?? []), ...(series['R80'] ?? [])].sort((a, b) => a - b);
  if (name === 'E48') return fine(4);
  if (name === 'E96') return fine(2);
  if (name === 'E192') return fine(1);
  return Object.hasOwn(series, name) ? series[name] : undefined;
};

/**
 * Rounds up or down to the next number of a series, strictly greater or less than the given one. Zero is not
 * changed.
 */
export interface Granularity {
  up(value: Value): Value;
  down(value: Value): Value;
}

const checked = (value: Value): number => {
  if (!isNumeric(value))
    throw new ServerError(
      40258,
      `$bucketAuto can specify a granularity with numeric boundaries only, but found a value with type: ${typeName(value)}`,
    );
  const number = toNumber(value);
  if (Number.isNaN(number))
    throw new ServerError(40259, '$bucketAuto cannot bucket a value of NaN with a granularity');
  if (number < 0)
    throw new ServerError(40260, '$bucketAuto cannot bucket a negative value with a granularity');
  return number;
};

const powersOfTwo = {
  up: (value: number): number => 2 ** (Math.floor(Math.log2(value)) + 1),
  down: (value: number): number => 2 ** (Math.ceil(Math.log2(value)) - 1),
};

const preferred = (numbers: readonly number[]): typeof powersOfTwo => {
  const around = (value: number): number[] => {
    const decade = Math.floor(Math.log10(value)) - Math.floor(Math.log10(numbers[0] ?? 1));
    // Includes the adjacent decades, since the next number may lie there. Scaling by powers of ten below one
    // causes rounding errors, which rounding to 15 digits removes.
    return [-1, 0, 1].flatMap((shift) =>
      numbers.map((number) => Number((number * 10 ** (decade + shift)).toPrecision(15))),
    );
  };
  return {
    up: (value) => around(value).find((number) => number > value) ?? value,
    down: (value) => around(value).findLast((number) => number < value) ?? value,
  };
};

/** Parses `granularity` of `$bucketAuto`. Throws Location40257 for an unknown name. */
export const granularityOf = (name: Value): Granularity => {
  if (typeof name !== 'string')
    throw new ServerError(
      40261,
      `The $bucketAuto 'granularity' field must be a string, but found type: ${typeName(name)}.`,
    );
  const numbers = numbersOf(name);
  if (!numbers && name !== 'POWERSOF2')
    throw new ServerError(40257, `Unknown rounding granularity '${name}'`);
  const rounding = numbers ? preferred(numbers) : powersOfTwo;
  const rounded =
    (round: (value: number) => number) =>
    (value: Value): Value => {
      const number = checked(value);
      return number === 0 ? value : double(round(number));
    };
  return { up: rounded(rounding.up), down: rounded(rounding.down) };
};
