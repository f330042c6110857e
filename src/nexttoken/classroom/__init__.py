"""Grading a class: `nexttoken grade` and `nexttoken assignment`. For teachers, on Linux.

A submission's way: `intake` reads it, `answer_key` knows what the references print for a secret
seed, a `station` runs nbval (`judging`) against kernels that live in sandboxes (`warm`, `keeper`,
`box`), `marking` says what each answer came to, `records` keeps it, and the reports tell it.

A student's code never shares a process or a file system with expected values.
"""
