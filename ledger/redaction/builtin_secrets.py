"""Rules for credentials: keys and tokens by the shape their issuers document, private keys whole, passwords by name."""

from __future__ import annotations

from ledger.redaction.rule import Rule

_PASSWORD = (
    r"(?i:password|passwd|passwort|passphrase|pwd|kennwort|contraseña|senha|wachtwoord|hasło|lösenord|mot de passe)"
)
_GIVEN = rf"(?:{_PASSWORD}|(?i:\b(?:pass|passcode)))"
_KEY = r"(?:api|secret|private|access|signing|encryption|auth|license|master)[ _-]?key|secret|token"
_ASSIGN = r"[\"'\\]*\s?(?:=>|:=|[:=])\s?"
_QUOTED = r"\\*\"+([^\"\\\n]+)\\*\"|\\*'+([^'\\\n]+)\\*'"


def _secret(type_: str, pattern: str, name: str = "", starts: str = "", check: str = "") -> Rule:
    return Rule(name or type_, type_, pattern, "restricted", trigger=starts, check=check)


_BEGIN = r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
_END = r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"

SECRETS: tuple[Rule, ...] = (
    _secret("private_key", rf"{_BEGIN}(?:[^-]|-[^-])*{_END}", starts=_BEGIN),
    _secret("private_key", rf"{_BEGIN}(?:[\s\\]{{0,4}}[A-Za-z0-9+/=]{{16,}})*", "private_key.cut_off", _BEGIN),
    _secret(
        "jwt",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+){0,2}",
        starts=r"\beyJ[A-Za-z0-9_-]{8}",
    ),
    _secret("anthropic_key", r"\bsk-ant-[A-Za-z0-9_-]{20,}", starts=r"\bsk-ant-"),
    _secret(
        "openai_key",
        r"\bsk-(?:proj-|svcacct-|admin-|None-)?[A-Za-z0-9][A-Za-z0-9_-]{19,}",
        starts=r"\bsk-[A-Za-z0-9]",
    ),
    _secret(
        "github_token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{40,255})",
        starts=r"\b(?:gh[pousr]_|github_pat_)",
    ),
    _secret(
        "slack_token",
        r"\bxox[a-z](?:\.[a-z]+)?-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/([A-Za-z0-9]+/[A-Za-z0-9]+/[A-Za-z0-9]+)",
        starts=r"\bxox[a-z][.-]|hooks\.slack\.com",
    ),
    _secret(
        "stripe_key",
        r"\b(?:(?:sk|rk|pk)_(?:live|test)_[0-9A-Za-z]{10,}|whsec_[A-Za-z0-9+/=]{20,})",
        starts=r"\b(?:[srp]k_(?:live|test)_|whsec_)",
    ),
    _secret("aws_key", r"\b(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[0-9A-Z]{16}\b"),
    _secret(
        "aws_key",
        r"(?i:aws[a-z_ -]{0,20}secret[a-z_ -]{0,20}|secret_?access_?key)[\"'\\\s:=`(\[<*]{1,8}"
        r"([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)",
        "aws_key.secret",
        r"(?i:aws[a-z_ -]{0,20}secret|secret_?access_?key)",
    ),
    _secret(
        "gcp_key",
        r"\b(?:AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{28})",
        starts=r"\b(?:AIza|ya29\.|GOCSPX-)",
    ),
    _secret(
        "azure_key",
        r"(?i:AccountKey|SharedAccessKey)[\"'\\\s:=`(\[<*]{1,8}([A-Za-z0-9+/]{43,86}==?)|[?&]sig=([A-Za-z0-9%+/]{43,})",
        starts=r"(?i:AccountKey|SharedAccessKey)|[?&]sig=",
    ),
    _secret(
        "azure_key",
        r"(?:^|[^A-Za-z0-9_~.-])([A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})",
        "azure_key.client",
        r"[0-9]Q~",
    ),
    _secret(
        "bearer_token",
        r"(?i:bearer|authorization[\"'\\\s:=]+(?:basic|token))[\s\"'`(\[<*]+([A-Za-z0-9._~+/-]{12,}=*)",
        starts=r"(?i:bearer\s|authorization)",
        check="token",
    ),
    _secret("password", r"://[^\s/:@\"']*:([^\s/@\"']+)@", "password.url", r"://[^\s/:@\"']*:[^\s/@\"']+@", "secret"),
    _secret("password", rf"{_GIVEN}{_ASSIGN}(?:{_QUOTED})", "password.quoted", rf"{_GIVEN}[\"'\\]*\s?[:=]", "secret"),
    _secret("password", rf"{_GIVEN}\s?=\s?([^\s\"'&,;]+)", "password.assigned", rf"{_GIVEN}\s?=", "secret"),
    _secret(
        "password",
        rf"{_PASSWORD}\s?[\"'*]*(?:\s?:|\s(?:is|ist|lautet|es|est|è|é|är|to|jest)\b:?)[ \t]*[\"'*`]*([^\s\"'`<>,]+)",
        "password.told",
        _PASSWORD,
        "secret_word",
    ),
    _secret(
        "secret",
        rf"(?i:{_KEY}){_ASSIGN}[\\\"']*([A-Za-z0-9+/_.~=-]{{12,}})",
        "secret.assigned",
        rf"(?i:{_KEY}){_ASSIGN}[\\\"']*[A-Za-z0-9+/_.~=-]{{4}}",
        "token",
    ),
)
