"""The programs that do the same work as clicktrail's job, each written and set as its friend would."""
