import { readingCases } from '../../../test/support/reading-cases.js';
import { GoalMessage } from './goal-reading.js';
import { goalSlot } from './goal-template.js';
import type { Language } from './number-data.js';

/** A Tuesday. */
const today = { year: 2026, month: 11, day: 24 };
const asked = goalSlot.parse({ name: 'value', kind: 'time', prompt: '?' });
const read = (language: Language, content: string): string | number | undefined =>
  new GoalMessage(content, today, language).readSlots([asked], asked)['value'];

/** What is said and the time, or "-" if it is not read. */
const cases: Partial<Record<Language, string>> = {
  en: `
    ten to 7 = - | 20 past 7 = - | half 7 = - | seven thirty = - | half past seven = 07:30 |
    quarter to 8 = 07:45 | at 7 in the evening = 19:00 | tonight at 8 = 20:00 | 7pm = 19:00 |
    Good evening, 7am please = 07:00 | Good evening, at 10 = 10:00 | between 7 and 8 = - |
    7-8pm = - | 7 or 8pm = - | in 7 hours = - | noon = 12:00 | quarter past midnight = - |
    at 10 to 7 = - | 19:30:15 = - | 7:30-8:30 = - | 13pm = - | at 12 at night = 00:00 |
    7 minus ten = - | 7pm to 8pm = - | from 7pm until 8pm = - | 7:30 or 8:00 = - |
    at 7, we are 4 = 07:00 | 7.30pm = 19:30 | at 1/2 = - | about 7% = - |
    two hours before 7pm = - | an hour after noon = - | 7pm, two hours earlier = 19:00 |
    7pm two hours earlier = - | an hour before midnight = - | before 7 = - | not 7 = - | not at 7 = - |
    at 7, no, at 8 = - | at 7 not 8 = - | no, at 7 = 07:00 | not noon = - | 7 doesn't work = - |
    quarter to seven = 06:45 | not half past seven, 8pm = - | an hour from noon = - |
    no later than 7 = - | earlier than 7pm = - | 12 May = -`,
  es: `
    7 de la tarde = 19:00 | a las 7 de la tarde = 19:00 | siete y media = 07:30 |
    a las siete y media de la tarde = 19:30 | a las siete y media = 07:30 |
    a las ocho menos cuarto = 07:45 | a las ocho menos diez = - | siete y diez de la tarde = - |
    las 7 de la mañana = 07:00 | 11 de la noche = 23:00 | 1 de la tarde = 13:00 |
    la una de la tarde = 13:00 | mediodía = 12:00 | medianoche = 00:00 |
    diez para las siete de la tarde = - | buenas tardes, a las 10 = 10:00 | en 3 horas = - |
    19:30 = 19:30 | a las 19 horas = 19:00 | de las 7 de la tarde a las 8 de la tarde = - |
    a las 7 o a las 8 = - | a las 12 de la mañana = - | siete menos veinte = - |
    a las 7:30 de la tarde = 19:30 | las siete de la tarde y media = - |
    son las 7 pasadas de la tarde = - |
    una hora antes del mediodía = - | dos horas antes de las 7 = - | después de las 7 = - |
    a las 7 no, a las 8 = - | no a las 7 = - | no, a las 7 = 07:00 |
    una hora después de la medianoche = -`,
  pt: `
    7 da tarde = 19:00 | 7 da noite = 19:00 | às 7 da noite = 19:00 | sete e meia = 07:30 |
    às sete e meia da noite = 19:30 | meio-dia = 12:00 | meia-noite = 00:00 | meio dia e meia = - |
    daqui a 3 horas = - | às 8 menos um quarto = 07:45 | 19h30 = 19:30 |
    hoje à noite às 8 = 20:00 | boa noite, às 10 = 10:00 | sete e dez da noite = - |
    às 19:30 = 19:30 |
    duas horas antes das 7 = - | uma hora antes do meio-dia = - | depois das 19h = - |
    às 7 não, às 8 = - | não às 7 = - | não, às 7 = 07:00`,
  fr: `
    7 heures du soir = 19:00 | 7h du soir = 19:00 | sept heures et demie = 07:30 |
    7 heures et quart = 07:15 | 8 heures moins le quart = 07:45 | 8 heures moins dix = - |
    7 heures vingt = - | 7 heures 20 = 07:20 | midi = 12:00 | midi et demi = - | minuit = 00:00 |
    3 heures de l'après-midi = 15:00 | l'après-midi = - | à 19h30 = 19:30 | 19h = 19:00 |
    dans 3 heures = - | table pour deux = - | bonsoir, 10h = 10:00 | demain soir à 8h = 20:00 |
    entre 7h et 8h = - | vers 20h30, merci = 20:30 | sept heures et demie du soir = 19:30 |
    à deux = - | midi et quart = - | sept heures moins cinq = - | 19 h 30 = 19:30 |
    trois heures de l’après-midi = 15:00 |
    deux heures avant 19h = - | une heure après midi = 13:00 | une heure avant minuit = - | 7h, non 8h = - |
    pas à 7h = - | pas 7h, 8h = - | non, à 19h = 19:00 | sept heures moins le quart = 06:45 |
    avant 19h = -`,
  it: `
    7 di sera = 19:00 | alle 7 di sera = 19:00 | sette e mezza = 07:30 |
    alle sette e mezza di sera = 19:30 | mezzogiorno = 12:00 | mezzanotte = 00:00 |
    mezzogiorno e mezzo = - | alle otto meno un quarto = 07:45 | alle otto meno dieci = - |
    alle 7 e 20 = - | alle 19 = 19:00 | alle 3 del pomeriggio = 15:00 | tra 3 ore = - |
    stasera alle 8 = 20:00 | all'una = - | sette meno dieci di sera = - |
    due ore prima delle 7 = - | un'ora prima di mezzogiorno = - | dopo le 19 = - | non alle 7 = - |
    alle 7 no, alle 8 = - | no, alle 7 = 07:00 | alle otto meno un quarto = 07:45`,
  de: `
    7 Uhr abends = 19:00 | halb acht = 07:30 | um halb acht abends = 19:30 |
    viertel nach sieben = 07:15 | viertel vor acht = 07:45 | dreiviertel acht = 07:45 |
    zehn vor sieben = - | fünf nach halb acht = - | um 7 = 07:00 | 19 Uhr 30 = 19:30 |
    7 Uhr zwanzig = - | 12 Uhr mittags = 12:00 | Mittag = 12:00 | Mitternacht = 00:00 |
    Nachmittag = - | 2 Uhr nachts = 02:00 | heute Abend um 8 = 20:00 |
    Guten Abend, um 10 Uhr = 10:00 | zwischen 7 und 8 Uhr = - | viertel acht = - |
    in 3 Stunden = - | sieben Uhr morgens = 07:00 | von 7 Uhr bis 8 Uhr = - |
    7:30 Uhr abends = 19:30 | um sieben Uhr dreißig = - | kurz nach halb acht = - |
    abends um halb acht = 19:30 | am Abend = - | um 7 am Fenster = 07:00 | 8pm = 20:00 |
    sieben Uhr fünfzehn abends = - | 7 vor 8 = - | 7 Uhr 5 = - |
    zwei Stunden vor 19 Uhr = - | eine Stunde vor Mitternacht = - | eine Stunde nach Mittag = - |
    um 7, nein um 8 = - | nicht um 7 = - | nein, um 7 = 07:00 | nicht Mittag = - |
    fünf vor halb acht = - | um 7, zwei Stunden später = 07:00`,
  nl: `
    half acht = 07:30 | om half acht 's avonds = 19:30 | 7 uur 's avonds = 19:00 |
    kwart voor acht = 07:45 | kwart over 7 = 07:15 | tien voor acht = - | tien over half acht = - |
    om 20:00 = 20:00 | middernacht = 00:00 | vanavond om 8 uur = 20:00 | vijf voor half acht = - |
    twee uur voor 19:00 = - | een uur na middernacht = - | niet om 7 uur, om 8 uur = - |
    om 7 uur niet = - | nee, om 7 uur = 07:00 | tien voor half acht = -`,
  ru: `
    7 вечера = 19:00 | в 7 вечера = 19:00 | 7 часов вечера = 19:00 | в 7 часов вечера = 19:00 |
    полдень = 12:00 | полночь = 00:00 | половина восьмого = - | в полвосьмого = - |
    без четверти восемь = - | 2 часа ночи = 02:00 | 2 часа дня = 14:00 | семь вечера = 19:00 |
    7 утра = 07:00 | через 3 часа = - | Добрый вечер, в 10 = 10:00 | в 19:00 = 19:00 |
    семь тридцать вечера = - | в восемь вечера = 20:00 | полпервого = - | в 12 ночи = 00:00 |
    вечером в 8 = 20:00 | без десяти семь вечера = - | семь с половиной вечера = - |
    полвосьмого вечера = - | пол восьмого = - | половина 8 вечера = - |
    за час до полудня = - | за два часа до 7 вечера = - | через час после полуночи = - |
    не в 7 вечера = - | в 19:00, нет, в 20:00 = - | нет, в 19:00 = 19:00 | не в полдень = -`,
  uk: `
    7 вечора = 19:00 | о 7 вечора = 19:00 | о 7 годині вечора = 19:00 | полудень = 12:00 |
    опівдні = 12:00 | опівночі = 00:00 | о пів на восьму = - | через 3 години = - |
    ввечері о 8 = 20:00 | пів 8 вечора = - |
    за годину до 7 вечора = - | через годину після півночі = - | не о 7 вечора = - |
    о 19:00, ні, о 20:00 = - | ні, о 19:00 = 19:00`,
  sv: `
    halv åtta = 07:30 | klockan 7 på kvällen = 19:00 | kl 19 = 19:00 | kvart i åtta = 07:45 |
    kvart över sju = 07:15 | tio i sju = - | om 3 timmar = - | midnatt = 00:00 |
    i kväll klockan 8 = 20:00 | fem över halv åtta = - |
    fem i halv åtta = - | en timme före klockan 12 = - | en timme efter midnatt = - |
    inte klockan 7 = - | klockan 7, nej klockan 8 = - | nej, klockan 7 = 07:00`,
  fi: `
    puoli kahdeksan = 07:30 | kello 7 illalla = 19:00 | kello 19 = 19:00 |
    kello puoli kahdeksan illalla = 19:30 | varttia vaille kahdeksan = 07:45 |
    kymmentä vaille kahdeksan = - | illalla kello 8 = 20:00 | viittä yli puoli kahdeksan = - |
    tunti ennen kello 12 = - | kello 7 jälkeen = - | ei kello 7 = - | tunti ennen keskiyötä = - |
    kello 7, ei kun kello 8 = -`,
  id: `
    jam 7 malam = 19:00 | setengah delapan = 07:30 | jam setengah delapan malam = 19:30 |
    pukul 7 pagi = 07:00 | jam 2 siang = 14:00 | tengah hari = 12:00 | tengah malam = 00:00 |
    jam 7 kurang sepuluh = - | jam 7 lewat 10 = - | nanti malam jam 8 = 20:00 |
    jam tujuh kurang seperempat = 06:45 |
    satu jam sebelum tengah hari = - | dua jam setelah jam 7 = - | bukan jam 7 = - |
    jam 7 bukan jam 8 = - | jam 7 kurang seperempat = 06:45`,
  vi: `
    7 giờ tối = 19:00 | bảy giờ rưỡi = 07:30 | 7 giờ rưỡi tối = 19:30 | 7h tối = 19:00 |
    7 giờ kém 10 = - | 7 giờ 30 = 07:30 | nửa đêm = 00:00 | 12 giờ trưa = 12:00 |
    2 giờ chiều = 14:00 | tối nay lúc 8 giờ = 20:00 | bảy giờ kém mười = - | bảy giờ tối = 19:00 |
    một tiếng trước 7 giờ tối = - | hai giờ sau nửa đêm = - | không phải 7 giờ = - |
    7 giờ không phải 8 giờ = -`,
  ar: `
    7 مساء = 19:00 | الساعة ٧ مساءً = 19:00 | الساعة 7 والنصف مساء = 19:30 | السابعة والنصف = - |
    الساعة 8 إلا ربعا = 07:45 | الساعة 8 إلا عشر دقائق = - | ٧:٣٠ = 07:30 | منتصف الليل = 00:00 |
    8 صباحا = 08:00 |
    قبل 7 بساعتين = - | قبل الساعة 7 مساء بساعتين = - | بعد منتصف الليل بساعة = - |
    ليس الساعة 7 مساء = - | الساعة 7 مساء ليس 8 مساء = - | 7 بعد الظهر = 19:00`,
  ja: `
    午後7時 = 19:00 | 夜7時 = 19:00 | 夜の7時 = 19:00 | 7時半 = 07:30 | 午後七時半 = 19:30 | 正午 = 12:00 |
    7時15分前 = - | 7時15分 = 07:15 | 十二時 = 12:00 | 3時間 = - | 午前2時 = 02:00 | 19:30 = 19:30 |
    １９時 = 19:00 | 7時過ぎ = - | こんばんは、10時 = 10:00 | 今夜8時 = 20:00 | 7時から8時 = - | 二十一時 = 21:00 |
    7時か8時 = - | 午後七時十五分 = 19:15 | 七時十五分前 = - | 午後12時 = 12:00 | 夕方5時半 = 17:30 |
    7時の二時間前 = - | 正午の一時間前 = - | 正午の1時間後 = - | 7時より前 = - | 7時以降 = - | 7時じゃなくて8時 = - | 7時ではない = - |
    いいえ、7時 = 07:00 | 午前7時 = 07:00`,
  zh: `
    晚上七点 = 19:00 | 七点半 = 07:30 | 十二点一刻 = 12:15 | 差一刻八点 = - | 八点差一刻 = - | 七点三刻 = 07:45 |
    下午7点 = 19:00 | 晚上7:30 = 19:30 | 凌晨两点 = 02:00 | 中午十二点 = 12:00 | 中午 = 12:00 | 七点三十分 = 07:30 |
    七点五 = - | 七点五分 = 07:05 | 三个小时 = - | 晚上好,上午10点 = 10:00 | 二点五 = - | 晚上八点钟 = 20:00 |
    今晚八点 = 20:00 | 七点到八点 = - | 两点 = 02:00 | 十点二十 = 10:20 | 晚上七点一刻 = 19:15 | 七点过五分 = - |
    下午三点半 = 15:30 | 三点四十五 = 03:45 | 晚上十一点 = 23:00 |
    7点前两个小时 = - | 中午前一个小时 = - | 七点的两小时前 = - | 七点之后 = - | 7点两小时后 = - | 不是7点，是8点 = - | 7点不行 = - |
    不要中午 = - | 不，7点 = 07:00 |
    差五分七点 = - | 七点早半小时 = -`,
};

describe('times are read completely or not at all', () => {
  it.each(readingCases(cases))('in %s: %s = %s', (language, content, expected) => {
    expect(String(read(language, content) ?? '-')).toBe(expected);
  });

  it('as afternoon if they would be earlier than the earliest', () => {
    const slot = { ...asked, earliest: '11:00' };
    for (const [language, content] of [
      ['de', 'halb acht'],
      ['es', 'a las siete y media'],
      ['fr', '7h30'],
    ] as const)
      expect(new GoalMessage(content, today, language).readSlots([slot])).toEqual({ value: '19:30' });
  });
});
