"""Tenants, modules and locales as the API shows and takes them (contract.md, ``/v1/tenants``)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec

from actors.identities import RESERVED_SLUGS
from actors.messages import Tenant
from rustok_daemon.api.json_values import MAX_DEPTH
from rustok_daemon.postgres.interface import Row

from .bounds import DEEPEST
from .loader import json_of, tenant_of

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+(?!\n)$")]
ShortName = Annotated[str, msgspec.Meta(min_length=1, max_length=50, pattern=r"^[^\x00-\x1f\x7f]+(?!\n)$")]
Slug = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}(?!\n)$", extra_json_schema={"not": {"enum": sorted(RESERVED_SLUGS)}}
    ),
]
Domain = Annotated[
    str,
    msgspec.Meta(
        max_length=253, pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*(?!\n)$"
    ),
]
Locale = Annotated[str, msgspec.Meta(max_length=5, pattern=r"^[a-z]{2,3}(-[A-Z]{2})?(?!\n)$")]
ModuleSlug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}(?!\n)$")]

Settings = Annotated[dict[str, Any], msgspec.Meta(extra_json_schema={MAX_DEPTH: DEEPEST})]


class TenantRecord(Tenant, frozen=True, kw_only=True):
    """A tenant with its dates."""

    created_at: datetime
    updated_at: datetime


class NewTenant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``POST /v1/tenants``."""

    name: Name
    slug: Slug
    domain: Domain | None = None
    settings: Settings = {}
    is_active: bool = True
    default_locale: Locale = "en"


class TenantPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``PATCH /v1/tenants/{id}``: a merge patch (RFC 7396); what is absent stays."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    slug: Slug | msgspec.UnsetType = msgspec.UNSET
    domain: Domain | msgspec.UnsetType | None = msgspec.UNSET
    settings: Settings | msgspec.UnsetType = msgspec.UNSET
    is_active: bool | msgspec.UnsetType = msgspec.UNSET
    default_locale: Locale | msgspec.UnsetType = msgspec.UNSET


class ModuleState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``PUT /v1/tenants/{id}/modules/{slug}``. Settings that are not given stay as they are."""

    enabled: bool
    settings: Settings | msgspec.UnsetType = msgspec.UNSET


class Module(msgspec.Struct, frozen=True, kw_only=True):
    """A module of a tenant."""

    slug: str
    enabled: bool
    settings: msgspec.Raw
    updated_at: datetime


class LocaleState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``PUT /v1/tenants/{id}/locales/{locale}``. A default locale is enabled, and falls back to another one."""

    name: ShortName
    native_name: ShortName
    is_enabled: bool = True
    is_default: bool = False
    fallback_locale: Locale | None = None

    schema_rules: ClassVar[dict[str, Any]] = {
        "not": {
            "properties": {"is_default": {"const": True}, "is_enabled": {"const": False}},
            "required": ["is_default", "is_enabled"],
        }
    }


class TenantLocale(msgspec.Struct, frozen=True, kw_only=True):
    """A locale of a tenant."""

    locale: str
    name: str
    native_name: str
    is_enabled: bool
    is_default: bool
    fallback_locale: str | None


def record_of(row: Row) -> TenantRecord:
    """From a row of ``SHOW`` and its like. Raises ``UnreadableValue``."""
    tenant = tenant_of(row)
    return TenantRecord(**msgspec.structs.asdict(tenant), created_at=row["created_at"], updated_at=row["updated_at"])


def module_of(row: Row) -> Module:
    """From a row of ``MODULES``."""
    settings = json_of(row, "settings")
    return Module(slug=row["module_slug"], enabled=row["enabled"], settings=settings, updated_at=row["updated_at"])


def locale_of(row: Row) -> TenantLocale:
    """From a row of ``LOCALES``."""
    return TenantLocale(**{name: row[name] for name in TenantLocale.__struct_fields__})
