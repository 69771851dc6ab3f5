import { readingCases } from '../../../test/support/reading-cases.js';
import { GoalMessage } from './goal-reading.js';
import { goalSlot } from './goal-template.js';
import type { Language } from './number-data.js';

/** A Tuesday. */
const today = { year: 2026, month: 11, day: 24 };
const asked = goalSlot.parse({ name: 'value', kind: 'date', prompt: '?' });
const read = (language: Language, content: string): string | number | undefined =>
  new GoalMessage(content, today, language).readSlots([asked], asked)['value'];

/** What is said and the date, or "-" if it is not read. */
const cases: Partial<Record<Language, string>> = {
  en: `
    tomorrow = 2026-11-25 | day after tomorrow = 2026-11-26 | two days after tomorrow = - |
    friday = 2026-11-27 | next friday = 2026-12-04 | friday next week = - |
    friday in two weeks = - | a week from friday = - | friday week = - | last friday = - |
    first friday of May = - | 12-14 May = - | 12 or 13 May = - | 12 to 14 May = - |
    12 May = 2027-05-12 | 12 May 27 = - | 12 May 2028 = 2028-05-12 | May 12, 2028 = 2028-05-12 |
    in twenty-one days = 2026-12-15 | in 3 weeks = 2026-12-15 | in 2 weeks and 3 days = - |
    friday or saturday = - | friday to sunday = - | monday-friday = - | every friday = - |
    friday the 13th = - | 2026-12-01 = 2026-12-01 | 2026-12-01-02 = - |
    tomorrow at 7 = 2026-11-25 | change it to friday = 2026-11-27 | 12 May 7pm = 2027-05-12 |
    not friday = - | tomorrow week = - | the week after next friday = - |
    12 May, no 13 May = - | not 12, 13 May = - | not tomorrow = - | tomorrow, not today = - |
    no, tomorrow = 2026-11-25 | friday, no problem = 2026-11-27 | two days before 12 May = - |
    12 May two days later = - | friday 13 = - | friday 27 = 2026-11-27 | friday 7pm = 2026-11-27 |
    friday, 4 people = 2026-11-27 | friday 5 December = - | saturday 5 December = 2026-12-05 |
    5 December (friday) = - | 5 December, saturday = 2026-12-05 | tomorrow, friday = - |
    tomorrow, wednesday = 2026-11-25 | friday 2026-12-05 = - | between the 3rd and the 5th of May = - |
    between 3 May and 5 May = - | May 12th, not May 13th = - | 3rd and 5th of May = -`,
  fr: `
    après-demain = 2026-11-26 | apres demain = 2026-11-26 | Après-demain à 19h = 2026-11-26 |
    demain = 2026-11-25 | vendredi prochain = 2026-12-04 | vendredi = 2026-11-27 |
    la semaine prochaine = - | vendredi de la semaine prochaine = - | vendredi en huit = - |
    vendredi dernier = - | le 12 mai = 2027-05-12 | 12-14 mai = - | du 12 au 14 mai = - |
    12 ou 13 mai = - | vendredi ou samedi = - | dans 3 jours = 2026-11-27 |
    dans deux semaines = 2026-12-08 | 12/05/2027 = 2027-05-12 | 1er mai = 2027-05-01 |
    demain soir = 2026-11-25 | mon anniversaire = - | le surlendemain = - | le lendemain = - |
    demain ou après-demain = - | vendredi 27 novembre = 2026-11-27 | premier vendredi de mai = - |
    tous les vendredis = - |
    entre le 3 et le 5 mai = - | le 3 et le 5 mai = - | d'aujourd'hui en huit = - | demain en huit = - |
    vendredi 13 = - | vendredi 27 = 2026-11-27 | vendredi le 13 = - | vendredi 5 décembre = - |
    samedi 5 décembre = 2026-12-05 | pas demain = - | demain non, vendredi = - |
    le 12 mai, non le 13 mai = - | non, demain = 2026-11-25 | deux jours avant le 12 mai = - |
    deux jours après demain = - | vendredi 19h = 2026-11-27`,
  es: `
    pasado mañana = 2026-11-26 | pasado manana = 2026-11-26 | mañana = 2026-11-25 |
    mañana por la mañana = 2026-11-25 | por la mañana = - | próximo viernes = 2026-12-04 |
    el próximo viernes = 2026-12-04 | viernes que viene = - | viernes de la semana que viene = - |
    12 de mayo = 2027-05-12 | 12 de mayo de 2027 = 2027-05-12 | 12 y 13 de mayo = - |
    viernes pasado = - | mañana a las 7 de la tarde = 2026-11-25 | medianoche = - |
    dentro de 3 días = 2026-11-27 | viernes o sábado = - | mañana o pasado = - |
    mañana o pasado mañana = - | este viernes = 2026-11-27 |
    el viernes 27 de noviembre = 2026-11-27 | dos días después de mañana = - |
    de 12 a 14 de mayo = - | hoy = 2026-11-24 |
    de hoy en ocho = - | de mañana en ocho días = - | entre el 3 y el 5 de mayo = - | viernes 13 = - |
    viernes 27 = 2026-11-27 | viernes 5 de diciembre = - | sábado 5 de diciembre = 2026-12-05 |
    mañana no, el viernes = - | no mañana = - | no, mañana = 2026-11-25 |
    dos días antes del 12 de mayo = - | viernes a las 7 = 2026-11-27`,
  pt: `
    depois de amanhã = 2026-11-26 | depois de amanha = 2026-11-26 | amanhã = 2026-11-25 |
    amanhã de manhã = 2026-11-25 | próxima sexta-feira = - | sexta-feira que vem = - |
    sexta-feira = 2026-11-27 | segunda-feira = 2026-11-30 | daqui a 3 dias = - |
    12 de maio = 2027-05-12 | sexta passada = - | anteontem = - | de 12 a 14 de maio = - |
    sexta ou sábado = - | hoje = 2026-11-24 | hoje à noite = 2026-11-24 |
    entre o dia 3 e o dia 5 de maio = - | entre 3 e 5 de maio = - | sexta-feira 13 = - |
    sexta-feira, 5 de dezembro = - | sábado, 5 de dezembro = 2026-12-05 | não amanhã = - |
    amanhã não, sexta-feira = - | não, amanhã = 2026-11-25 | dois dias antes de 12 de maio = - |
    de hoje a oito = - | de hoje em oito dias = -`,
  it: `
    dopodomani = 2026-11-26 | dopo domani = 2026-11-26 | domani = 2026-11-25 |
    venerdì prossimo = 2026-12-04 | prossimo venerdì = 2026-12-04 |
    venerdì della prossima settimana = - | venerdì scorso = - | domani mattina = 2026-11-25 |
    12 maggio = 2027-05-12 | tra 3 giorni = 2026-11-27 | la settimana prossima = - |
    l'altro ieri = - | domani o dopodomani = - | dal 12 al 14 maggio = - |
    venerdì 27 novembre = 2026-11-27 |
    oggi a otto = - | domani a otto = - | dal 3 al 5 maggio = - | tra il 3 e il 5 maggio = - |
    venerdì 13 = - | venerdì 27 = 2026-11-27 | venerdì 5 dicembre = - | sabato 5 dicembre = 2026-12-05 |
    non domani = - | domani no, venerdì = - | no, domani = 2026-11-25 |
    due giorni prima del 12 maggio = - | domani alle otto = 2026-11-25`,
  de: `
    übermorgen = 2026-11-26 | morgen = 2026-11-25 | morgen früh = 2026-11-25 |
    überübermorgen = 2026-11-27 | nächsten Freitag = 2026-12-04 | kommenden Freitag = - |
    übernächsten Freitag = - | Freitag nächster Woche = - | Freitag in einer Woche = - |
    letzten Freitag = - | Freitag = 2026-11-27 | in 3 Tagen = 2026-11-27 |
    in zwei Wochen = 2026-12-08 | 12. Mai = 2027-05-12 | 12. oder 13. Mai = - | 12.-14. Mai = - |
    12.05.2027 = 2027-05-12 | am 12.5. = - | nächste Woche = - | heute in 14 Tagen = - |
    Sonntag in acht Tagen = - | Freitag, 27. November = 2026-11-27 | am Tag nach morgen = - |
    heute oder morgen = - | jeden Freitag = - |
    heute in acht Tagen = - | vom 3. bis 5. Mai = - | zwischen dem 3. und dem 5. Mai = - |
    zwischen dem 3. und 5. Mai = - | Freitag der 13. = - | Freitag, den 13. = - |
    Freitag, 5. Dezember = - | Samstag, 5. Dezember = 2026-12-05 |
    Samstag, den 5. Dezember = 2026-12-05 | Freitag, den 5. Dezember = - | nicht morgen = - |
    morgen nicht, Freitag = - | am 12. Mai, nein am 13. Mai = - | nein, morgen = 2026-11-25 |
    zwei Tage vor dem 12. Mai = - | Freitag 19 Uhr = 2026-11-27 | morgen um 7, nicht um 8 = 2026-11-25`,
  nl: `
    overmorgen = 2026-11-26 | morgen = 2026-11-25 | morgenavond = 2026-11-25 |
    volgende vrijdag = 2026-12-04 | komende vrijdag = - | vrijdag volgende week = - |
    over 3 dagen = 2026-11-27 | vorige vrijdag = - | 12 mei = 2027-05-12 |
    vrijdag over een week = - | vrijdag of zaterdag = - | 12 en 13 mei = - |
    vanavond = 2026-11-24 |
    vandaag over acht dagen = - | tussen 3 en 5 mei = - | van 3 tot 5 mei = - | vrijdag de 13e = - |
    vrijdag 13 = - | vrijdag 5 december = - | zaterdag 5 december = 2026-12-05 | niet morgen = - |
    nee, morgen = 2026-11-25 | twee dagen na 12 mei = - | vrijdag 19 uur = 2026-11-27 |
    van 3 tot en met 5 mei = - | vrijdag om 8 uur voor 2 = 2026-11-27`,
  ru: `
    послезавтра = 2026-11-26 | завтра = 2026-11-25 | в следующую пятницу = 2026-12-04 |
    в прошлую пятницу = - | в пятницу = 2026-11-27 | в пятницу на следующей неделе = - |
    через 3 дня = 2026-11-27 | 12 мая = 2027-05-12 | 12 мая 2027 года = 2027-05-12 | полдень = - |
    с 12 по 14 мая = - | с 12 мая по 14 мая = - | послезавтра вечером = 2026-11-26 |
    через две недели = 2026-12-08 | в пятницу или субботу = - |
    не завтра = - | завтра нет, в пятницу = - | нет, завтра = 2026-11-25 | пятница 13 = - |
    пятница, 13 число = - | пятница 5 декабря = - | в субботу 5 декабря = 2026-12-05 |
    между 3 и 5 мая = - | за два дня до 12 мая = - | 12 мая, нет, 13 мая = -`,
  uk: `
    післязавтра = 2026-11-26 | завтра = 2026-11-25 | наступної п'ятниці = - |
    у наступну п'ятницю = - | через 3 дні = 2026-11-27 | 12 травня = 2027-05-12 |
    у п’ятницю або суботу = - | з 12 по 14 травня = - |
    не завтра = - | ні, завтра = 2026-11-25 | п'ятниця 13 = - | п'ятниця 5 грудня = - |
    субота 5 грудня = 2026-12-05 | між 3 і 5 травня = - | за два дні до 12 травня = -`,
  sv: `
    i övermorgon = 2026-11-26 | övermorgon = 2026-11-26 | i morgon = 2026-11-25 |
    imorgon = 2026-11-25 | nästa fredag = 2026-12-04 | fredag nästa vecka = - |
    fredag = 2026-11-27 | 12 maj = 2027-05-12 | i övermorgon kväll = 2026-11-26 |
    på fredag = 2026-11-27 | om två veckor = - | 12-14 maj = - |
    inte imorgon = - | nej, imorgon = 2026-11-25 | fredag den 13 = - | fredag 13 = - |
    fredag 5 december = - | lördag 5 december = 2026-12-05 | mellan den 3 och den 5 maj = - |
    två dagar före 12 maj = - | idag om åtta dagar = -`,
  fi: `
    ylihuomenna = 2026-11-26 | huomenna = 2026-11-25 | ensi perjantaina = 2026-12-04 |
    perjantaina ensi viikolla = - | viime perjantaina = - | perjantaina = 2026-11-27 |
    toissapäivänä = 2026-11-22 | perjantaina tai lauantaina = - |
    ei huomenna = - | perjantai 13 = - | kaksi päivää ennen 12. toukokuuta = - |
    huomenna ei, perjantaina = -`,
  id: `
    lusa = 2026-11-26 | besok = 2026-11-25 | Jumat depan = 2026-12-04 | Jumat minggu depan = - |
    Jumat lalu = - | 3 hari lagi = 2026-11-27 | 12 Mei = 2027-05-12 | kemarin lusa = - |
    lusa malam = 2026-11-26 | Jumat atau Sabtu = - |
    bukan besok = - | besok bukan, Jumat = - | Jumat 13 = - | Jumat tanggal 13 = - |
    Jumat 5 Desember = - | Sabtu 5 Desember = 2026-12-05 | antara 3 dan 5 Mei = - |
    dua hari sebelum 12 Mei = -`,
  vi: `
    ngày kia = 2026-11-26 | ngày mốt = 2026-11-26 | ngày mai = 2026-11-25 | thứ sáu tuần sau = - |
    thứ sáu tới = 2026-12-04 | thứ sáu = 2026-11-27 | ngày 12 tháng 5 = 2027-05-12 |
    thứ sáu hoặc thứ bảy = - |
    không phải ngày mai = - | ngày mai không phải = - | thứ sáu ngày 13 = - |
    hai ngày trước ngày 12 tháng 5 = - | từ ngày 3 đến ngày 5 tháng 5 = -`,
  ar: `
    بعد غد = 2026-11-26 | بعد غدا = 2026-11-26 | غدا = 2026-11-25 | الجمعة القادمة = 2026-12-04 |
    يوم الجمعة الماضي = - | يوم الجمعة = 2026-11-27 | بعد ٣ أيام = 2026-11-27 |
    12 مايو = 2027-05-12 | بعد بعد غد = - | الجمعة أو السبت = - | الأسبوع القادم = - |
    ليس غدا = - | غدا ليس الجمعة = - | الجمعة 13 = - | الجمعة 5 ديسمبر = - |
    السبت 5 ديسمبر = 2026-12-05 | بين 3 و 5 مايو = - | قبل 12 مايو بيومين = -`,
  ja: `
    明後日 = 2026-11-26 | あさって = 2026-11-26 | しあさって = 2026-11-27 | 明日 = 2026-11-25 |
    明日の朝 = 2026-11-25 | 来週の金曜日 = - | 再来週の金曜日 = - | 先週の金曜日 = - | 次の金曜日 = 2026-12-04 |
    金曜日 = 2026-11-27 | 5月12日 = 2027-05-12 | 5月12日から14日 = - | 来月の5日 = - | 金曜日か土曜日 = - |
    明後日の夜 = 2026-11-26 | 一昨日 = - | 翌週の金曜日 = - | 来週 = - | 今日 = 2026-11-24 | 毎週金曜日 = - |
    明日じゃない = - | 明日ではなく金曜日 = - | いいえ、明日 = 2026-11-25 | 13日の金曜日 = - | 27日の金曜日 = 2026-11-27 |
    12月5日の金曜日 = - | 12月5日(金) = - | 12月5日(土) = 2026-12-05 | 12月5日土曜日 = 2026-12-05 | 5月12日の二日後 = - |
    5月12日の二日前 = - | 明日の2日後 = - | 明日午後7時 = 2026-11-25`,
  zh: `
    后天 = 2026-11-26 | 大后天 = 2026-11-27 | 後天 = 2026-11-26 | 明天 = 2026-11-25 | 下周五 = 2026-12-04 |
    下下周五 = - | 周五 = 2026-11-27 | 这周五 = 2026-11-27 | 三天后 = 2026-11-27 | 中午 = - |
    5月12日 = 2027-05-12 | 周五或周六 = - | 十二月五日 = 2026-12-05 | 明后天 = - | 今天 = 2026-11-24 | 下个月5号 = - |
    每周五 = - | 后天晚上 = 2026-11-26 |
    不是明天 = - | 明天不行,周五 = - | 不,明天 = 2026-11-25 | 13号星期五 = - | 星期五13号 = - | 12月5日星期五 = - |
    12月5日星期六 = 2026-12-05 | 5月12日后两天 = - | 5月12日的两天前 = -`,
};

describe('dates are read completely or not at all', () => {
  it.each(readingCases(cases))('in %s: %s = %s', (language, content, expected) => {
    expect(String(read(language, content) ?? '-')).toBe(expected);
  });

  it.each<[Language, string]>([
    ['en', 'next friday'],
    ['de', 'nächsten Freitag'],
    ['fr', 'vendredi prochain'],
    ['es', 'el próximo viernes'],
    ['ru', 'в следующую пятницу'],
    ['ja', '次の金曜日'],
  ])('in %s "%s" is the Friday of the next week, also on a Sunday', (language, content) => {
    const sunday = { year: 2026, month: 11, day: 22 };
    expect(new GoalMessage(content, sunday, language).readSlots([asked])).toEqual({ value: '2026-11-27' });
    expect(read(language, content)).toBe('2026-12-04');
  });

  it.each<[Language, string]>([
    ['en', 'monday'],
    ['pt', 'segunda'],
    ['vi', 'thứ hai'],
    ['de', 'Montag'],
    ['ru', 'в понедельник'],
    ['ja', '月曜日'],
    ['zh', '星期一'],
  ])('in %s "%s" said on a Monday is the next one', (language, content) => {
    const monday = { year: 2026, month: 11, day: 30 };
    expect(new GoalMessage(content, monday, language).readSlots([asked], asked)).toEqual({
      value: '2026-12-07',
    });
  });

  it.each<[Language, string]>([
    ['zh', '不个人'],
    ['zh', '周五,，的是'],
    ['zh', '7点钟的'],
    ['ja', '7時の、人'],
    ['ja', '金曜日の、'],
    ['vi', 'không phải là vào lúc '],
    ['en', 'not it is at the '],
    ['en', "friday the o' clock, "],
  ])('nothing is searched for in exponential time in %s: %j repeated', (language, part) => {
    const content = `${part}${part.slice(1).repeat(60)}Q7 ${part.repeat(60)}`;
    const slots = (['date', 'time', 'number'] as const).map((kind) => ({ ...asked, name: kind, kind }));
    expect(() => new GoalMessage(content, today, language).readSlots(slots)).not.toThrow();
  });

  it('is not read in Chinese on a Sunday, when the week of chrono-node has already begun', () => {
    const sunday = { year: 2026, month: 11, day: 22 };
    expect(new GoalMessage('下周五', sunday, 'zh').readSlots([asked])).toEqual({});
  });
});
