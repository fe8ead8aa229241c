"""The promoted images, their packages, and what the advisories say of them."""
