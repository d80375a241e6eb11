mod calls;
mod dialogs;
mod hostile;
mod races;
mod raw;
mod registrations;
mod rules;
mod world;
