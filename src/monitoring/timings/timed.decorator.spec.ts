import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { PerformanceMonitor } from './performance-monitor.js';
import { Timed } from './timed.decorator.js';

@Injectable()
class Bakery {
  readonly price = 3;

  @Timed()
  bake(loaves: number): Promise<number> {
    return Promise.resolve(loaves * this.price);
  }

  @Timed('oven')
  burn(): Promise<never> {
    return Promise.reject(new Error('burnt'));
  }
}

describe('@Timed()', () => {
  it('times a method of a provider by class and name, and returns what the method returns', async () => {
    const module = await Test.createTestingModule({
      providers: [Bakery, { provide: PerformanceMonitor, useFactory: () => new PerformanceMonitor() }],
    }).compile();
    const bakery = module.get(Bakery);
    const monitor = module.get(PerformanceMonitor);
    await expect(bakery.bake(4)).resolves.toBe(12);
    await expect(bakery.burn()).rejects.toThrow('burnt');
    expect(monitor.getStats('Bakery.bake')).toMatchObject({ count: 1, errors: 0 });
    expect(monitor.getStats('oven')).toMatchObject({ count: 1, errors: 1 });
    await module.close();
  });

  it('does not affect an object that Nest has not created', async () => {
    await expect(new Bakery().bake(2)).resolves.toBe(6);
  });
});
