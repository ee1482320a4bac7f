//! The loop that notices passed due days and corrected calendars. It decides nothing; the rules do.
