"""What people are told: findings and alarms at rest."""
