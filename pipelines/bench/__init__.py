"""`freqlearn bench`: how long photos take to become what a network takes, beside the other ways of doing it."""
