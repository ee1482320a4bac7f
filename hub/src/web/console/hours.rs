//! Working hours that are left: eight a working day, 09:00 to 17:00 in Shanghai, by the published calendar.
//!
//! The law counts days (《行政许可法》第八十二条: 期限以工作日计算); hours are for sorting one's morning. Eight a day is
//! 《国务院关于职工工作时间的规定》第三条.

use hub_core::calendar::Calendar;
use jiff::Timestamp;
use jiff::civil::Date;

/// When a working day begins and ends, in minutes after midnight.
const BEGINS_MIN: i64 = 9 * 60;
const ENDS_MIN: i64 = 17 * 60;

/// Whole working hours from `now` to the end of `due`; negative when the day has passed.
pub(super) fn left(calendar: &Calendar, now: Timestamp, due: Date) -> i64 {
    let zoned = now.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)));
    let (today, time) = (zoned.date(), zoned.time());
    let a_day = (ENDS_MIN - BEGINS_MIN) / 60;
    if today > due {
        return -i64::from(calendar.working_days_between(due, today).max(1)) * a_day;
    }
    let minute = i64::from(time.hour()) * 60 + i64::from(time.minute());
    let today_left = if calendar.is_working_day(today) {
        (ENDS_MIN - minute.clamp(BEGINS_MIN, ENDS_MIN)) / 60
    } else {
        0
    };
    today_left + i64::from(calendar.working_days_between(today, due)) * a_day
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_friday_before_the_holiday_has_hours_left_that_the_holiday_does_not() {
        let mut calendar = Calendar::default();
        for (at, year) in crate::reference::calendars().iter().enumerate() {
            calendar.publish(at as u32 + 1, year).unwrap();
        }
        // now in Shanghai, due, hours
        for (now, due, hours) in [
            ("2026-02-13T01:30:00Z", "2026-02-13", 7),  // 09:30
            ("2026-02-13T01:30:00Z", "2026-02-14", 15), // a Saturday that is worked
            ("2026-02-13T01:30:00Z", "2026-02-24", 23), // 15 to 23 are off
            ("2026-02-18T04:00:00Z", "2026-02-24", 8),  // within the holiday
            ("2026-02-24T15:59:00Z", "2026-02-24", 0),  // 23:59 of the due day
            ("2026-02-24T16:00:00Z", "2026-02-24", -8), // one minute later
        ] {
            let due: Date = due.parse().unwrap();
            assert_eq!(left(&calendar, now.parse().unwrap(), due), hours, "{now} {due}");
        }
    }
}
