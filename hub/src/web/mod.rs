//! FOR OPERATORS AND PROGRAMS: the table of all routes.
