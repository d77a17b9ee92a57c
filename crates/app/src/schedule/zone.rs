use bucketline_core::{Error, code};
use bucketline_sql::nearest;
use chrono_tz::{TZ_VARIANTS, Tz};

/// The time zone of that name in the IANA database, such as `Europe/Vienna`. Case does not count.
///
/// # Errors
/// If there is none.
pub fn zone(name: &str) -> Result<Tz, Error> {
    let wanted = name.trim().replace(' ', "_");
    let mut zones = TZ_VARIANTS.iter();
    if let Some(zone) = zones.find(|zone| zone.name().eq_ignore_ascii_case(&wanted)) {
        return Ok(*zone);
    }
    let message = if wanted.is_empty() {
        "the time zone is empty".to_owned()
    } else {
        format!("there is no time zone `{name}`")
    };
    let error = Error::new(code::schedule::ZONE, message);
    let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
    let by_city = names().find(|zone| {
        let city = zone.rsplit('/').next().unwrap_or(zone);
        city.eq_ignore_ascii_case(&wanted)
    });
    Err(match by_city.or_else(|| nearest(&wanted, names())) {
        Some(meant) => error.with_hint(format!("did you mean `{meant}`?")),
        None => {
            error.with_hint("use a name of the IANA database, such as `Europe/Vienna` or `UTC`")
        }
    })
}
