import { z } from 'zod';

/** The plans of tenants. */
export const plans = ['free', 'pro', 'enterprise'] as const;
export type Plan = (typeof plans)[number];

/** One limit for each plan; plans that are not in it have none. */
export type PlanLimits = Readonly<Partial<Record<Plan, number>>>;

const wanted = `must be a list of plans with whole numbers, for example free=1000000,pro=50000000; the plans are ${plans.join(', ')}`;

/** Parses `PLAN=NUMBER,…`. */
export const planLimits: z.ZodType<PlanLimits> = z.string().transform((text, context): PlanLimits => {
  const limits: Partial<Record<Plan, number>> = {};
  for (const part of text.split(',').filter((one) => one.trim() !== '')) {
    const [, name, digits] = /^\s*(\w+)\s*=\s*(\d{1,15})\s*$/.exec(part) ?? [];
    const plan = plans.find((one) => one === name);
    if (plan === undefined || limits[plan] !== undefined) {
      context.addIssue({ code: 'custom', message: wanted });
      return z.NEVER;
    }
    limits[plan] = Number(digits);
  }
  return limits;
});
