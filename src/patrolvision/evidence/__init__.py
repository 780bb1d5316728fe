"""Pictures and clips that prove a finding: cut, blurred before they are kept, named by content."""
