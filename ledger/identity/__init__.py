"""Who calls, and what he may do: certificates and tokens, roles, and a record of every refusal.

| module                | owns                                                                              |
| --------------------- | --------------------------------------------------------------------------------- |
| `rights`              | the table: what each role may do with each call; docs/ROLES.md shows it           |
| `document`            | the roles file: who has which role for which tenants; strict                      |
| `tokens`              | JWT: what a token must be to hold                                                 |
| `key_sets`            | the public keys of an issuer, from a file or a URL, and their rotation            |
| `revocation`          | tokens, subjects and certificates that do not hold any more                       |
| `certificates`        | what the certificate of a TLS connection says of its holder                       |
| `authority`, `errors` | all of it together: credential -> caller -> permit; how a call ends that has none |
| `refusals`            | every refusal an Access event, and a bound on how many                            |
| `commands`            | commands on the ledger's own machine that a role is needed for                    |
| `tls`                 | certificates of servers and clients, read again when they change                  |
| `plain`               | a roles file in plain words                                                       |

Without a roles file there is no identity: whoever reaches the address is believed, and only loopback addresses are
listened on. With one, nothing is allowed but what it grants.
"""
