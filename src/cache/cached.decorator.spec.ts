import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CommonModule, createLogger } from '../common/index.js';
import { ConfigModule, loadSettings } from '../config/index.js';
import { RedisModule } from '../redis/index.js';
import { Cached, CacheFamily, CacheModule, CacheService } from './index.js';

const shops = new CacheFamily<{ name: string; calls: number }>('shop');

@Injectable()
class Shops {
  calls = 0;

  @Cached({ key: (tenantId: string, id: string) => shops.key(tenantId, id), lifetime: 60_000 })
  find(tenantId: string, id: string): Promise<{ name: string; calls: number } | undefined> {
    this.calls++;
    return Promise.resolve(id === 'none' ? undefined : { name: `${tenantId}/${id}`, calls: this.calls });
  }
}

describe('@Cached()', () => {
  it('answers a method from the cache by its arguments, with its own `this`', async () => {
    const module = await Test.createTestingModule({
      imports: [
        CommonModule.forRoot(createLogger({ level: 'silent', pretty: false })),
        ConfigModule.forRoot(loadSettings({ NODE_ENV: 'test' })),
        RedisModule,
        CacheModule,
      ],
      providers: [Shops],
    }).compile();
    const provider = module.get(Shops);
    expect(await provider.find('a', '1')).toEqual({ name: 'a/1', calls: 1 });
    expect(await provider.find('a', '1')).toEqual({ name: 'a/1', calls: 1 });
    expect(await provider.find('b', '1')).toEqual({ name: 'b/1', calls: 2 });
    await module.get(CacheService).invalidateTenant('a');
    expect(await provider.find('a', '1')).toEqual({ name: 'a/1', calls: 3 });
    expect(await provider.find('a', 'none')).toBeUndefined();
    await module.close();
  });

  it('says what is missing where Nest did not make the provider', () => {
    expect(() => new Shops().find('a', '1')).toThrow(/CacheModule/);
  });
});
