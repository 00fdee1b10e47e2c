"""What must not leave the building: masking of patron identifiers, internal notes and prices."""
